"""the lines of a lender are found by an index"""

from collections.abc import Sequence

from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("ix_ledger_entry_lender_id_id", "ledger_entry", ["lender_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_ledger_entry_lender_id_id", "ledger_entry")
