"""terms of promises by lender; promises by phone; the account of a payment"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lender_terms",
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("grace_in", sa.String(), nullable=False),
        sa.Column("tolerance", sa.String(), nullable=False),
        sa.Column("may_lack_minor", sa.BigInteger(), nullable=True),
        sa.Column("may_lack_currency", sa.String(), nullable=True),
        sa.Column("on_missed", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lender_id", name=op.f("pk_lender_terms")),
    )
    op.add_column("promise", sa.Column("recording_consented", sa.Boolean(), nullable=True))
    op.add_column("promise", sa.Column("proof_digest", sa.String(), nullable=True))
    op.add_column("received", sa.Column("account_id", sa.Uuid(), nullable=True))
    op.add_column("case_facts", sa.Column("currency", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("case_facts", "currency")
    op.drop_column("received", "account_id")
    op.drop_column("promise", "proof_digest")
    op.drop_column("promise", "recording_consented")
    op.drop_table("lender_terms")
