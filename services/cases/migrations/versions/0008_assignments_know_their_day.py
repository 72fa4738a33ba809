"""assignments know their day"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("assignment") as batch:
        batch.add_column(sa.Column("window_start", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("purpose", sa.String(), nullable=True))
        batch.add_column(sa.Column("dispatched", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("assignment") as batch:
        batch.alter_column("dispatched", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("assignment") as batch:
        batch.drop_column("dispatched")
        batch.drop_column("purpose")
        batch.drop_column("window_start")
