"""parked events are known by their event ids: an event is put aside once, however often it comes"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from shared.migration_steps import PARKED_BY_EVENT

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    PARKED_BY_EVENT.upgrade()
    # The timeline is a view of events: `doorstep bus rebuild cases timeline` fills it again.
    op.drop_table("timeline")
    op.create_table(
        "timeline",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_timeline")),
    )
    op.create_index(op.f("ix_timeline_case_id"), "timeline", ["case_id"])


def downgrade() -> None:
    op.drop_table("timeline")
    op.create_table(
        "timeline",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
    )
    op.create_index(op.f("ix_timeline_case_id"), "timeline", ["case_id"])
    PARKED_BY_EVENT.downgrade()
