"""The inbox: which events a consumer has handled, and how far it got, in the same transaction as the effects.

An event that comes again, however often and from wherever, is claimed once.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import Table

from shared.bus.tables import BusTables
from shared.bus.transport import Partition
from shared.clock import system_now
from shared.database import Transaction


def upsert(tx: Transaction, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the words of this database."""
    dialect = tx.session.get_bind().dialect.name
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


async def claim(tx: Transaction, tables: BusTables, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Claim the events of a batch that are new to this consumer, by one statement. Returns the new ones."""
    if not event_ids:
        return set()
    now = system_now()
    rows = [{"consumer": consumer, "event_id": event_id, "handled_at": now} for event_id in dict.fromkeys(event_ids)]
    # The rows are parameters, not part of the statement: so it is compiled once, not for every batch.
    statement: Insert = upsert(tx, tables.inbox).on_conflict_do_nothing().returning(tables.inbox.c.event_id)
    return set((await tx.session.execute(statement, rows)).scalars())


async def move_on(tx: Transaction, tables: BusTables, consumer: str, offsets: Mapping[Partition, int]) -> None:
    """Store the next offset of each partition, with the effects of what came before it."""
    if not offsets:
        return
    rows = [
        {"consumer": consumer, "topic": place.topic, "partition": place.number, "next_offset": offset}
        for place, offset in offsets.items()
    ]
    statement = upsert(tx, tables.position)
    await tx.session.execute(
        statement.on_conflict_do_update(
            index_elements=["consumer", "topic", "partition"],
            set_={"next_offset": statement.excluded.next_offset},
        ),
        rows,
    )


async def positions(tx: Transaction, tables: BusTables, consumer: str) -> dict[Partition, int]:
    """The next offset of each partition that this consumer has begun."""
    position = tables.position
    rows = await tx.session.execute(
        select(position.c.topic, position.c.partition, position.c.next_offset).where(position.c.consumer == consumer)
    )
    return {Partition(row.topic, row.partition): row.next_offset for row in rows}
