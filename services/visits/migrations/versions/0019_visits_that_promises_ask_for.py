"""the promise that a wanted visit follows from"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("caseload", sa.Column("wanted_by", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("caseload", "wanted_by")
