"""requests for a second person; a hold knows its complaint, and why it was released"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
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
    op.add_column("hold", sa.Column("complaint_id", sa.Uuid(), nullable=True))
    op.add_column("hold", sa.Column("sealed_why", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE hold SET complaint_id = (SELECT complaint.id FROM complaint WHERE complaint.hold_id = hold.id)")


def downgrade() -> None:
    op.drop_column("hold", "sealed_why")
    op.drop_column("hold", "complaint_id")
    op.drop_table("approval")
