"""parked events are known by their event ids: an event is put aside once, however often it comes"""

import json
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PARKED = sa.table("parked", sa.column("id", sa.Integer), sa.column("event_id", sa.Uuid), sa.column("headers", sa.Text))


def upgrade() -> None:
    with op.batch_alter_table("parked") as parked:
        parked.add_column(sa.Column("event_id", sa.Uuid(), nullable=True))
    connection = op.get_bind()
    for row in connection.execute(sa.select(PARKED.c.id, PARKED.c.headers)).all():
        event_id = UUID(json.loads(row.headers)["ce_id"])
        connection.execute(sa.update(PARKED).where(PARKED.c.id == row.id).values(event_id=event_id))
    connection.execute(
        sa.text("DELETE FROM parked WHERE id NOT IN (SELECT min(id) FROM parked GROUP BY consumer, event_id)")
    )
    with op.batch_alter_table("parked") as parked:
        parked.alter_column("event_id", existing_type=sa.Uuid(), nullable=False)
        parked.create_unique_constraint("uq_parked_event", ["consumer", "event_id"])
        parked.drop_index("ix_parked_consumer")
        parked.create_index("ix_parked_key", ["consumer", "key", "id"])


def downgrade() -> None:
    with op.batch_alter_table("parked") as parked:
        parked.drop_index("ix_parked_key")
        parked.create_index("ix_parked_consumer", ["consumer"])
        parked.drop_constraint("uq_parked_event", type_="unique")
        parked.drop_column("event_id")
