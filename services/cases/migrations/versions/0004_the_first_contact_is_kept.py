"""the first contact is kept"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_file", sa.Column("first_contact_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE case_file SET first_contact_at = (SELECT MIN(at) FROM contact_attempt WHERE case_id = case_file.id "
        "AND result IN ('RPC_REFUSED', 'RPC_PROMISED', 'RPC_OTHER'))"
    )


def downgrade() -> None:
    op.drop_column("case_file", "first_contact_at")
