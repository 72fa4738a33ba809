"""where a case stands as a whole, and the accounts that lenders take back"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    phase = sa.Column("phase", sa.String(), nullable=False, server_default=sa.text("'OPEN'"))
    op.add_column("case_file", phase)
    op.add_column("case_file", sa.Column("phase_at", sa.DateTime(timezone=True), nullable=True))
    # What owes nothing is demanded by no release: nothing is published of it now.
    op.execute("UPDATE case_file SET phase = 'PAID' WHERE balance_minor = 0")
    op.create_table(
        "recall",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("recalled_on", sa.Date(), nullable=False),
        sa.Column("recalled_by", sa.String(), nullable=False),
        sa.Column("recalled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
    )
    op.create_index(op.f("ix_recall_lender_id"), "recall", ["lender_id"], unique=False)
    op.create_index(op.f("ix_recall_case_id"), "recall", ["case_id"], unique=False)


def downgrade() -> None:
    op.drop_table("recall")
    op.drop_column("case_file", "phase_at")
    op.drop_column("case_file", "phase")
