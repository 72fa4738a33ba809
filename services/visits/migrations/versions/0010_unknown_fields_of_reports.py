"""unknown fields of a phone's reports are stored sealed"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visit_unknown_fields",
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("report", sa.String(), nullable=False),
        sa.Column("sent_by", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_fields", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_unknown_fields_visit_id_visit")),
        sa.PrimaryKeyConstraint("visit_id", "report", "sent_by", name=op.f("pk_visit_unknown_fields")),
    )


def downgrade() -> None:
    op.drop_table("visit_unknown_fields")
