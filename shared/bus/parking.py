"""Parking: an event whose handler fails waits here, and later events of its key wait behind it; others go on.

`replay` runs what is parked again, each key in its order. Whoever handles events of a key and whoever replays it wait
for each other on the parked rows, so that no event overtakes another.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Table, bindparam, delete, func, select, update

from shared.bulk import insert_into
from shared.bus.tables import BusTables
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.database import Transaction

WAITS = "waits behind its key"


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked event: `attempts` is 0 while it only waits behind an earlier one of its key."""

    id: int
    event_id: UUID
    key: str
    type: str
    topic: str
    attempts: int
    error: str
    parked_at: datetime


async def park(
    tx: Transaction, tables: BusTables, consumer: str, event_id: UUID, record: Record, *, error: str, attempts: int
) -> None:
    """Put an event aside; once only, however often it is delivered."""
    statement = insert_into(tx, tables.parked).values(
        consumer=consumer,
        event_id=event_id,
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
    await tx.session.execute(statement.on_conflict_do_nothing())


async def parked_keys(tx: Transaction, tables: BusTables, consumer: str, keys: Collection[str]) -> set[str]:
    """Which of these keys have parked events. Waits for a replay that is just about to free one of them."""
    parked = tables.parked
    if not await tx.session.scalar(_any_parked(parked), {"consumer": consumer}):
        return set()
    found = await tx.session.scalars(
        select(parked.c.key)
        .where(parked.c.consumer == consumer, parked.c.key.in_(sorted(keys)))
        .order_by(parked.c.id)
        .with_for_update()
    )
    return set(found)


@cache
def _any_parked(parked: Table) -> Select[int]:
    """Asked for every batch, and so made once: usually there is none."""
    return select(parked.c.id).where(parked.c.consumer == bindparam("consumer")).limit(1)


async def waiting(
    tx: Transaction, tables: BusTables, consumer: str, *, after: int = 0, limit: int = 200
) -> list[Parked]:
    """Parked events in the order in which they were put aside."""
    parked = tables.parked
    rows = await tx.session.execute(
        select(parked).where(parked.c.consumer == consumer, parked.c.id > after).order_by(parked.c.id).limit(limit)
    )
    return [
        Parked(
            id=row.id,
            event_id=row.event_id,
            key=row.key,
            type=json.loads(row.headers).get("ce_type", ""),
            topic=row.topic,
            attempts=row.attempts,
            error=row.error,
            parked_at=row.parked_at,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to replay: the events of a key, those up to one event of a key, all keys parked before a time, or all."""

    key: UUID | None = None
    event_id: UUID | None = None
    before: datetime | None = None


async def keys_of(tx: Transaction, tables: BusTables, consumer: str, choice: Choice) -> Sequence[str]:
    """The keys that a choice means, the longest parked first."""
    parked = tables.parked
    statement = select(parked.c.key).where(parked.c.consumer == consumer)
    if choice.key is not None:
        statement = statement.where(parked.c.key == str(choice.key))
    if choice.event_id is not None:
        statement = statement.where(parked.c.event_id == choice.event_id)
    if choice.before is not None:
        statement = statement.where(parked.c.parked_at < choice.before)
    return (await tx.session.scalars(statement.group_by(parked.c.key).order_by(func.min(parked.c.id)))).all()


async def take_first(tx: Transaction, tables: BusTables, consumer: str, key: str) -> Row[Any] | None:
    """The first parked event of a key, taken out and so locked until the commit."""
    parked = tables.parked
    first = select(func.min(parked.c.id)).where(parked.c.consumer == consumer, parked.c.key == key).scalar_subquery()
    taken = await tx.session.execute(delete(parked).where(parked.c.id == first).returning(*parked.c))
    return taken.one_or_none()


async def failed_again(tx: Transaction, tables: BusTables, row_id: int, error: str) -> None:
    parked = tables.parked
    changed = {"attempts": parked.c.attempts + 1, "error": error}
    await tx.session.execute(update(parked).where(parked.c.id == row_id).values(changed))


async def count(tx: Transaction, tables: BusTables, consumer: str, keys: Collection[str] | None = None) -> int:
    """How many events are parked, of these keys or of all."""
    parked = tables.parked
    statement = select(func.count()).where(parked.c.consumer == consumer)
    if keys is not None:
        statement = statement.where(parked.c.key.in_(keys))
    return await tx.session.scalar(statement) or 0


def record_of(row: Row[Any]) -> Record:
    return Record(Partition(row.topic, row.partition), row.offset, row.key, json.loads(row.headers), row.payload)


async def release_outbox(tx: Transaction, tables: BusTables, choice: Choice) -> int:
    """Let the relay try again what it could not send. Returns how many rows."""
    outbox = tables.outbox
    statement = update(outbox).where(outbox.c.parked_at.is_not(None), outbox.c.published_at.is_(None))
    if choice.key is not None:
        statement = statement.where(outbox.c.key == choice.key)
    if choice.event_id is not None:
        statement = statement.where(outbox.c.event_id == choice.event_id)
    if choice.before is not None:
        statement = statement.where(outbox.c.parked_at < choice.before)
    freed = await tx.session.execute(statement.values(parked_at=None).returning(outbox.c.seq))
    return len(freed.all())
