"""The inbox: which events a consumer has handled, and how far it got, in the same transaction as the effects.

An event that comes again, however often and from wherever, is claimed once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.schema import Table

from shared.bulk import upsert_rows
from shared.bus.tables import BusTables
from shared.bus.transport import Partition
from shared.clock import system_now
from shared.database import Transaction, UtcTime


async def claim(tx: Transaction, tables: BusTables, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Claim the events of a batch that are new to this consumer, by one statement. Returns the new ones."""
    if not event_ids:
        return set()
    once, now = list(dict.fromkeys(event_ids)), system_now()
    if tx.session.get_bind().dialect.name == "sqlite":
        one = sqlite.insert(tables.inbox).on_conflict_do_nothing().returning(tables.inbox.c.event_id)
        rows = [{"consumer": consumer, "event_id": event_id, "handled_at": now} for event_id in once]
        return set((await tx.session.scalars(one, rows)).all())
    given = {"consumer": consumer, "event_ids": once, "handled_at": now}
    return set((await tx.session.scalars(_claim_all(tables.inbox), given)).all())


@cache
def _claim_all(inbox: Table) -> ReturningInsert[UUID]:
    """The statement that claims any number of events, which travel as one parameter: made and planned once."""
    given = select(
        bindparam("consumer", type_=Text),
        func.unnest(bindparam("event_ids", type_=ARRAY(Uuid))),
        bindparam("handled_at", type_=UtcTime),
    )
    adding = postgresql.insert(inbox).from_select(inbox.c.keys(), given)
    return adding.on_conflict_do_nothing().returning(inbox.c.event_id)


async def move_on(tx: Transaction, tables: BusTables, consumer: str, offsets: Mapping[Partition, int]) -> None:
    """Store the next offset of each partition, with the effects of what came before it. It never goes back: what comes
    again was handled, and a projection that is made anew goes as far as this says."""
    rows = [(consumer, place.topic, place.number, offset) for place, offset in offsets.items()]
    await upsert_rows(tx, tables.position, rows, rising="next_offset")


async def positions(tx: Transaction, tables: BusTables, consumer: str) -> dict[Partition, int]:
    """The next offset of each partition that this consumer has begun."""
    position = tables.position
    rows = await tx.session.execute(
        select(position.c.topic, position.c.partition, position.c.next_offset).where(position.c.consumer == consumer)
    )
    return {Partition(row.topic, row.partition): row.next_offset for row in rows}
