"""what lenders record about their agent"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lender_agency",
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_on", sa.Date(), nullable=True),
        sa.Column("listed", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("lender_id", name=op.f("pk_lender_agency")),
    )


def downgrade() -> None:
    op.drop_table("lender_agency")
