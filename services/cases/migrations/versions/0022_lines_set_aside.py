"""lines that wait for a person"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "line_set_aside",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("account_ref", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("line", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_set_aside")),
        sa.UniqueConstraint(
            "lender_id", "account_ref", "reference", name=op.f("uq_line_set_aside_lender_id_account_ref_reference")
        ),
    )
    op.create_index("ix_line_set_aside_lender_id_id", "line_set_aside", ["lender_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("line_set_aside")
