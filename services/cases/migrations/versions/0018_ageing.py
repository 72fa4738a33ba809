"""how far the daily ageing is"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ageing",
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("after", sa.Uuid(), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lender_id"], ["lender.id"], name=op.f("fk_ageing_lender_id_lender")),
        sa.PrimaryKeyConstraint("lender_id", name=op.f("pk_ageing")),
    )
    op.create_index(op.f("ix_ageing_next_at"), "ageing", ["next_at"])


def downgrade() -> None:
    op.drop_table("ageing")
