"""requests for a second person; a hold knows its complaint, and why it was released"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from shared.migration_steps import APPROVALS

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    APPROVALS.upgrade()
    op.add_column("hold", sa.Column("complaint_id", sa.Uuid(), nullable=True))
    op.add_column("hold", sa.Column("sealed_why", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE hold SET complaint_id = (SELECT complaint.id FROM complaint WHERE complaint.hold_id = hold.id)")


def downgrade() -> None:
    op.drop_column("hold", "sealed_why")
    op.drop_column("hold", "complaint_id")
    APPROVALS.downgrade()
