"""one person at several lenders"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("caseload", sa.Column("person_ref", sa.String(), nullable=True))
    op.add_column("caseload", sa.Column("other_visits", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index(op.f("ix_caseload_person_ref"), "caseload", ["person_ref"])


def downgrade() -> None:
    op.drop_index(op.f("ix_caseload_person_ref"), table_name="caseload")
    op.drop_column("caseload", "other_visits")
    op.drop_column("caseload", "person_ref")
