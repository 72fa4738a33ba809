"""the texts of the packs that stored decisions name"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_pack",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("pack", sa.String(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_kept_pack")),
    )


def downgrade() -> None:
    op.drop_table("kept_pack")
