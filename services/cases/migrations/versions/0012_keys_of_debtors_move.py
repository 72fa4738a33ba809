"""keys of debtors move to the keys of subjects; what they sealed stays as it is"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO subject_key (subject, class, wrapped, kek_id) "
        f"SELECT {_subject()}, 'contact', wrapped_key, 'before' FROM debtor"
    )
    op.drop_column("debtor", "wrapped_key")


def downgrade() -> None:
    newer = "SELECT count(*) FROM subject_key WHERE class = 'contact' AND kek_id IS DISTINCT FROM 'before'"
    if op.get_bind().scalar(sa.text(newer)):
        raise RuntimeError("keys of debtors are wrapped by a newer master key: restore a backup of that release")
    op.add_column("debtor", sa.Column("wrapped_key", sa.LargeBinary(), server_default=sa.text("''"), nullable=False))
    op.execute(
        "UPDATE debtor SET wrapped_key = "
        f"(SELECT wrapped FROM subject_key WHERE subject = {_subject()} AND class = 'contact')"
    )
    op.execute("DELETE FROM subject_key WHERE class = 'contact'")


def _subject() -> str:
    """The subject of a debtor: its id as 32 hexadecimal digits."""
    digits = "debtor.id" if op.get_bind().dialect.name == "sqlite" else "replace(debtor.id::text, '-', '')"
    return f"'debtor/' || {digits}"
