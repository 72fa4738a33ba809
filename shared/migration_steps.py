"""Steps of migrations for the tables that several services have: the bus's, the clock's, the keys', jobs and approvals.

Write a step here once; each service's history calls it in a migration of its own number. A step that was released
never changes: a database of today must become what it became then.
"""

import json
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


class Step(NamedTuple):
    upgrade: Callable[[], object]
    downgrade: Callable[[], None]


def _know_parked_by_event() -> None:
    parked_rows = sa.table(
        "parked", sa.column("id", sa.Integer), sa.column("event_id", sa.Uuid), sa.column("headers", sa.Text)
    )
    with op.batch_alter_table("parked") as parked:
        parked.add_column(sa.Column("event_id", sa.Uuid(), nullable=True))
    connection = op.get_bind()
    for row in connection.execute(sa.select(parked_rows.c.id, parked_rows.c.headers)).all():
        event_id = UUID(json.loads(row.headers)["ce_id"])
        connection.execute(sa.update(parked_rows).where(parked_rows.c.id == row.id).values(event_id=event_id))
    connection.execute(
        sa.text("DELETE FROM parked WHERE id NOT IN (SELECT min(id) FROM parked GROUP BY consumer, event_id)")
    )
    with op.batch_alter_table("parked") as parked:
        parked.alter_column("event_id", existing_type=sa.Uuid(), nullable=False)
        parked.create_unique_constraint("uq_parked_event", ["consumer", "event_id"])
        parked.drop_index("ix_parked_consumer")
        parked.create_index("ix_parked_key", ["consumer", "key", "id"])


def _know_parked_by_place() -> None:
    with op.batch_alter_table("parked") as parked:
        parked.drop_index("ix_parked_key")
        parked.create_index("ix_parked_consumer", ["consumer"])
        parked.drop_constraint("uq_parked_event", type_="unique")
        parked.drop_column("event_id")


PARKED_BY_EVENT = Step(_know_parked_by_event, _know_parked_by_place)
"""Parked events are known by their event ids: an event is put aside once, however often it comes."""


def _know_the_kind_of_clock() -> None:
    op.add_column("business_clock", sa.Column("simulated", sa.Boolean(), server_default=sa.true(), nullable=False))


def _forget_the_kind_of_clock() -> None:
    op.execute("DELETE FROM business_clock WHERE NOT simulated")
    op.drop_column("business_clock", "simulated")


KIND_OF_CLOCK = Step(_know_the_kind_of_clock, _forget_the_kind_of_clock)
"""A database knows whether its business clock is simulated: each row of an older release is."""


def _create_keys_of_subjects() -> None:
    op.create_table(
        "subject_key",
        sa.Column("subject", sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("kek_id", sa.Text(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("subject", "class", name=op.f("pk_subject_key")),
    )


def _drop_keys_of_subjects() -> None:
    op.drop_table("subject_key")


KEYS_OF_SUBJECTS = Step(_create_keys_of_subjects, _drop_keys_of_subjects)
"""Keys of subjects, each with the id of the master key that wraps it."""


def _create_jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lender_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claimed_until_seconds", sa.Float(53), server_default="0", nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_kind_status_id", "job", ["kind", "status", "id"], unique=False)
    op.create_table(
        "job_outcome",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_outcome_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", "item", name=op.f("pk_job_outcome")),
    )


def _drop_jobs() -> None:
    op.drop_table("job_outcome")
    op.drop_index("ix_job_kind_status_id", table_name="job")
    op.drop_table("job")


JOBS = Step(_create_jobs, _drop_jobs)
"""Jobs, and what became of their items."""


def create_approvals() -> sa.Table:
    """The table, for a migration that also fills it."""
    approval = op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("lender_id", sa.Text(), nullable=True),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_reason", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed_answer", sa.LargeBinary(), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    is_open = sa.text("status = 'OPEN'")
    op.create_index(
        "uq_approval_open",
        "approval",
        ["action", "subject_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("ix_approval_status", "approval", ["status", "id"])
    return approval


def _drop_approvals() -> None:
    op.drop_table("approval")


APPROVALS = Step(create_approvals, _drop_approvals)
"""Requests for a second person."""
