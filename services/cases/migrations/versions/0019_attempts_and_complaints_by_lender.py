"""contact attempts name their lender; attempts and complaints of a lender are found by an index"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LENDERS = """
    UPDATE contact_attempt
    SET lender_id = (SELECT lender_id FROM case_file WHERE case_file.id = contact_attempt.case_id)
"""


def upgrade() -> None:
    op.add_column("contact_attempt", sa.Column("lender_id", sa.String(), nullable=True))
    op.execute(LENDERS)
    with op.batch_alter_table("contact_attempt") as batch:
        batch.alter_column("lender_id", nullable=False)
    op.create_index("ix_contact_attempt_lender_id_id", "contact_attempt", ["lender_id", "id"])
    op.create_index("ix_complaint_lender_id_id", "complaint", ["lender_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_complaint_lender_id_id", "complaint")
    op.drop_index("ix_contact_attempt_lender_id_id", "contact_attempt")
    op.drop_column("contact_attempt", "lender_id")
