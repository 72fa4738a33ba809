"""streams; the progress of plans becomes one"""

import sqlalchemy as sa
from alembic import op

from shared.clock import system_now

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

PROGRESS = sa.table(
    "plan_progress",
    sa.column("plan_id", sa.Uuid()),
    sa.column("number", sa.Integer()),
    sa.column("seconds", sa.Float()),
    sa.column("cost", sa.BigInteger()),
)


def upgrade() -> None:
    stream = op.create_table(
        "stream",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lender_id", sa.Text(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stream")),
    )
    item = op.create_table(
        "stream_item",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("lender_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_stream_item")),
    )
    op.create_index("ix_stream_item_added_at", "stream_item", ["added_at"], unique=False)
    op.create_index(
        "ix_stream_item_waiting",
        "stream_item",
        ["seq"],
        unique=False,
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_index("uq_stream_item_position", "stream_item", ["stream", "position"], unique=True)
    _carry_over(stream, item)
    op.drop_table("plan_progress")


def _carry_over(stream: sa.Table, item: sa.Table) -> None:
    """Who watches a plan goes on where the upgrade broke off."""
    steps = sa.select(PROGRESS).order_by(PROGRESS.c.plan_id, PROGRESS.c.number)
    items = [
        {
            "stream": f"day-plan/{step.plan_id}",
            "kind": "progress",
            "data": {"seconds": step.seconds, "cost": step.cost},
            "added_at": system_now(),
            "position": step.number,
        }
        for step in op.get_bind().execute(steps)
    ]
    last = {each["stream"]: each["position"] for each in items}
    if items:
        op.bulk_insert(item, items)
        op.bulk_insert(stream, [{"name": name, "last": number} for name, number in last.items()])


def downgrade() -> None:
    op.create_table(
        "plan_progress",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["day_plan.id"], name=op.f("fk_plan_progress_plan_id_day_plan")),
        sa.PrimaryKeyConstraint("plan_id", "number", name=op.f("pk_plan_progress")),
    )
    op.drop_table("stream_item")
    op.drop_table("stream")
