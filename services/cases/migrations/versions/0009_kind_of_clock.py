"""the kind of clock is stored: a row of an older release is a simulated clock"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("business_clock", sa.Column("simulated", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    op.execute("DELETE FROM business_clock WHERE NOT simulated")
    op.drop_column("business_clock", "simulated")
