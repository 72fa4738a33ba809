"""collectors and teams change, with history

A team's members are kept from a day on. Those of the last release are its members from the first day.
"""

from datetime import UTC, date, datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from shared.ids import new_id

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

FIRST_DAY = date(2000, 1, 1)
OLD = sa.table(
    "team_member",
    sa.column("team_id", sa.Uuid()),
    sa.column("rank", sa.Integer()),
    sa.column("collector_id", sa.Uuid()),
)
NEW = sa.table(
    "team_members",
    sa.column("id", sa.Uuid()),
    sa.column("team_id", sa.Uuid()),
    sa.column("from_day", sa.Date()),
    sa.column("collector_ids", sa.JSON()),
    sa.column("made_by", sa.String()),
    sa.column("made_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.add_column("collector", sa.Column("statuses", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("team", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "collector_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collector_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_details", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collector_id"], ["collector.id"], name=op.f("fk_collector_change_collector_id_collector")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collector_change")),
    )
    op.create_index(op.f("ix_collector_change_collector_id"), "collector_change", ["collector_id"])
    op.create_table(
        "team_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("collector_ids", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_reason", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_members_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_members")),
    )
    op.create_index(op.f("ix_team_members_team_id"), "team_members", ["team_id"])
    _copy_members()
    op.drop_index(op.f("ix_team_member_collector_id"), table_name="team_member")
    op.drop_table("team_member")


def _copy_members() -> None:
    connection = op.get_bind()
    members: dict[object, list[str]] = {}
    for team_id, collector_id in connection.execute(
        sa.select(OLD.c.team_id, OLD.c.collector_id).order_by(OLD.c.team_id, OLD.c.rank)
    ).all():
        members.setdefault(team_id, []).append(str(collector_id))
    now = datetime.now(UTC)
    rows = [
        {
            "id": new_id(),
            "team_id": team_id,
            "from_day": FIRST_DAY,
            "collector_ids": collector_ids,
            "made_by": "system:migration",
            "made_at": now,
        }
        for team_id, collector_ids in members.items()
    ]
    if rows:
        connection.execute(NEW.insert(), rows)


def downgrade() -> None:
    op.create_table(
        "team_member",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("collector_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["collector_id"], ["collector.id"], name=op.f("fk_team_member_collector_id_collector")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_member_team_id_team")),
        sa.PrimaryKeyConstraint("team_id", "rank", name=op.f("pk_team_member")),
    )
    op.create_index(op.f("ix_team_member_collector_id"), "team_member", ["collector_id"])
    _copy_back()
    op.drop_index(op.f("ix_team_members_team_id"), table_name="team_members")
    op.drop_table("team_members")
    op.drop_index(op.f("ix_collector_change_collector_id"), table_name="collector_change")
    op.drop_table("collector_change")
    op.drop_column("team", "version")
    op.drop_column("collector", "statuses")


def _copy_back() -> None:
    """The members that each team was formed with."""
    connection = op.get_bind()
    rows = [
        {"team_id": team_id, "rank": rank, "collector_id": UUID(collector_id)}
        for team_id, collector_ids in connection.execute(
            sa.select(NEW.c.team_id, NEW.c.collector_ids).where(NEW.c.from_day == FIRST_DAY)
        ).all()
        for rank, collector_id in enumerate(collector_ids)
    ]
    if rows:
        connection.execute(OLD.insert(), rows)
