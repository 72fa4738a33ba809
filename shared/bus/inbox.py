"""The inbox: which events a consumer has handled, and how far it got, in the same transaction as the effects.

An event that comes again, however often and from wherever, is claimed once.
"""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import Table

from shared.bus.tables import BusTables
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.database import Transaction


def _insert(tx: Transaction, table: Table) -> postgresql.Insert | sqlite.Insert:
    dialect = tx.session.get_bind().dialect.name
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


async def claim(tx: Transaction, tables: BusTables, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Claim the events of a batch that are new to this consumer, by one statement. Returns the new ones."""
    if not event_ids:
        return set()
    now = system_now()
    rows = [{"consumer": consumer, "event_id": event_id, "handled_at": now} for event_id in dict.fromkeys(event_ids)]
    # The rows are parameters, not part of the statement: so it is compiled once, not for every batch.
    statement: Insert = _insert(tx, tables.inbox).on_conflict_do_nothing().returning(tables.inbox.c.event_id)
    return set((await tx.session.execute(statement, rows)).scalars())


async def move_on(tx: Transaction, tables: BusTables, consumer: str, offsets: Mapping[Partition, int]) -> None:
    """Store the next offset of each partition, with the effects of what came before it."""
    if not offsets:
        return
    rows = [
        {"consumer": consumer, "topic": place.topic, "partition": place.number, "next_offset": offset}
        for place, offset in offsets.items()
    ]
    statement = _insert(tx, tables.position)
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


async def park(tx: Transaction, tables: BusTables, consumer: str, record: Record, *, error: str, attempts: int) -> None:
    """Put an event aside: it waits, and later events of its key wait behind it."""
    await tx.session.execute(
        insert(tables.parked).values(
            consumer=consumer,
            key=record.key,
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
            headers=json.dumps(dict(record.headers), ensure_ascii=False),
            payload=record.value,
            attempts=attempts,
            error=error,
            parked_at=system_now(),
        )
    )


async def parked_keys(tx: Transaction, tables: BusTables, consumer: str) -> set[str]:
    keys = await tx.session.scalars(select(tables.parked.c.key).where(tables.parked.c.consumer == consumer).distinct())
    return set(keys)


async def parked_records(tx: Transaction, tables: BusTables, consumer: str, key: str) -> list[tuple[int, Record]]:
    """The parked events of a key with their row ids, in order."""
    parked = tables.parked
    rows = await tx.session.execute(
        select(parked).where(parked.c.consumer == consumer, parked.c.key == key).order_by(parked.c.id)
    )
    return [
        (row.id, Record(Partition(row.topic, row.partition), row.offset, row.key, json.loads(row.headers), row.payload))
        for row in rows
    ]


async def unpark(tx: Transaction, tables: BusTables, row_id: int) -> None:
    await tx.session.execute(delete(tables.parked).where(tables.parked.c.id == row_id))
