"""day plans that live: what they were made from, their revisions, the progress of solving, and reasons with figures."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PLANNERS_REASONS = "'cap-reached', 'too-far', 'no-position', 'no-lawful-window', 'not-wanted'"


def upgrade() -> None:
    for column in (
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column("happened", sa.JSON(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("travel_source", sa.String(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=True),
    ):
        op.add_column("day_plan", column)
    for column in (
        sa.Column("rule_id", sa.String(), nullable=True),
        sa.Column("prize_seconds", sa.Integer(), nullable=True),
        sa.Column("detour_seconds", sa.Integer(), nullable=True),
    ):
        op.add_column("left_out", column)
    op.create_table(
        "plan_basis",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("basis", sa.JSON(), nullable=False),
        sa.Column("routes", sa.JSON(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_places", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["day_plan.id"], name=op.f("fk_plan_basis_plan_id_day_plan")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan_basis")),
    )
    op.create_table(
        "plan_revision",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["day_plan.id"], name=op.f("fk_plan_revision_plan_id_day_plan")),
        sa.PrimaryKeyConstraint("plan_id", "revision", name=op.f("pk_plan_revision")),
    )
    op.create_table(
        "plan_progress",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["day_plan.id"], name=op.f("fk_plan_progress_plan_id_day_plan")),
        sa.PrimaryKeyConstraint("plan_id", "number", name=op.f("pk_plan_progress")),
    )
    op.execute("UPDATE day_plan SET status = 'DRAFT' WHERE status = 'REQUESTED'")
    op.execute(f"UPDATE left_out SET rule_id = reason WHERE reason NOT IN ({PLANNERS_REASONS})")
    op.execute("UPDATE left_out SET reason = 'blocked-by-rule' WHERE rule_id IS NOT NULL")


def downgrade() -> None:
    op.execute("UPDATE left_out SET reason = rule_id WHERE rule_id IS NOT NULL")
    op.execute("UPDATE day_plan SET status = 'REQUESTED' WHERE status IN ('DRAFT', 'SOLVED')")
    op.execute("UPDATE day_plan SET status = 'PUBLISHED' WHERE status IN ('FROZEN', 'SUPERSEDED')")
    op.execute("UPDATE day_plan SET status = 'FAILED' WHERE status = 'CANCELLED'")
    for table in ("plan_progress", "plan_revision", "plan_basis"):
        op.drop_table(table)
    for name in ("detour_seconds", "prize_seconds", "rule_id"):
        op.drop_column("left_out", name)
    for name in ("changes", "travel_source", "cost", "revision", "happened", "replaces"):
        op.drop_column("day_plan", name)
