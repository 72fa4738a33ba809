"""Projections: tables that are only a view of events, and that can be rebuilt from all of them.

A projection's handlers write to the table that they are given: live the service's own one; in a rebuild a new one
beside it, which takes its place in one transaction. They may write nothing else, and they cannot publish.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, MetaData, Table, delete, func, insert, select
from sqlalchemy.schema import CreateTable, DropTable

from shared.bus import inbox, parking
from shared.bus.consumer import Now
from shared.bus.handling import Handler
from shared.bus.tables import BusTables
from shared.bus.transport import Partition, Record, Transport
from shared.database import Context, Database, Transaction
from shared.errors import Conflict
from shared.events.envelope import Envelope, Event, Undecodable
from shared.events.operations import ProjectionRebuilt
from shared.events.registry import name_of, read_event
from shared.ids import new_id

CATCH_UP_RECORDS_MAX = 500

ProjectionHandler = Callable[[Transaction, Table, Any, Envelope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Projection:
    """A table and what each event does to it."""

    name: str
    table: Table
    handlers: Mapping[type[Event], ProjectionHandler]

    def live(self, event: type[Event]) -> Handler:
        """The handler of an event, writing to the service's own table."""
        handler = self.handlers[event]

        async def handle(tx: Transaction, event: Any, envelope: Envelope) -> None:
            await handler(tx, self.table, event, envelope)

        return handle


@dataclass(frozen=True, slots=True)
class Rebuilt:
    events: int
    rows: int


class Rebuild:
    """One rebuild of a projection. It is safe to cancel: the live table changes only in the last transaction."""

    def __init__(
        self,
        projection: Projection,
        *,
        consumer: str,
        database: Database,
        tables: BusTables,
        transport: Transport,
        topics: Sequence[str],
        business_now: Now,
    ) -> None:
        self._projection = projection
        self._consumer = consumer
        self._database = database
        self._tables = tables
        self._transport = transport
        self._topics = topics
        self._business_now = business_now
        self._names = {name_of(kind.type) for kind in projection.handlers}
        self._operation_id = new_id()
        self._claims = f"{consumer}.{projection.name}.{self._operation_id}"
        self._beside = _beside(projection.table, f"{projection.table.name}_rebuilt")
        self._reached: dict[Partition, int] = {}
        self._events = 0

    async def run(self, context: Context) -> Rebuilt:
        """Rebuild the projection. Raises Conflict while events of this consumer are parked: the live table does not
        show them yet, so the new one could not equal it."""
        async with self._database.transaction() as tx:
            await self._refuse_parked(tx)
            await tx.session.execute(DropTable(self._beside, if_exists=True))
            await tx.session.execute(CreateTable(self._beside))
        while await self._catch_up() > CATCH_UP_RECORDS_MAX:
            pass
        return await self._swap(context)

    async def _catch_up(self) -> int:
        """Apply what the live consumer has handled by now. Returns how many records that were."""
        async with self._database.reading() as tx:
            spans = await self._spans(tx)
        async for records in self._transport.history(spans):
            async with self._database.transaction() as tx:
                await self._apply(tx, records)
        return sum(end - start for start, end in spans.values())

    async def _swap(self, context: Context) -> Rebuilt:
        """With the live consumer held still: apply the last events, put the new rows in place of the old, say so."""
        live, bus = self._projection.table, self._tables
        async with self._database.transaction(context) as tx:
            position = bus.position
            await tx.session.execute(
                select(position.c.next_offset).where(position.c.consumer == self._consumer).with_for_update()
            )
            await self._refuse_parked(tx)
            async for records in self._transport.history(await self._spans(tx)):
                await self._apply(tx, records)
            tx.silent = False
            tx.context = context
            await tx.session.execute(delete(live))
            await tx.session.execute(
                insert(live).from_select([column.name for column in live.c], select(*self._beside.c))
            )
            await tx.session.execute(DropTable(self._beside))
            await tx.session.execute(delete(bus.inbox).where(bus.inbox.c.consumer == self._claims))
            rows = await tx.session.scalar(select(func.count()).select_from(live)) or 0
            tx.now = await self._business_now(tx)
            event = ProjectionRebuilt(
                operation_id=self._operation_id,
                consumer=self._consumer,
                projection=self._projection.name,
                events=self._events,
                rows=rows,
            )
            tx.publish_as(event, subject=self._operation_id, version=1, key=self._operation_id)
        return Rebuilt(self._events, rows)

    async def _spans(self, tx: Transaction) -> dict[Partition, tuple[int, int]]:
        handled = await inbox.positions(tx, self._tables, self._consumer)
        return {
            place: (self._reached.get(place, 0), end) for place, end in handled.items() if place.topic in self._topics
        }

    async def _apply(self, tx: Transaction, records: Sequence[Record]) -> None:
        tx.silent = True
        read = [record for record in records if name_of(record.headers.get("ce_type", "")) in self._names]
        received = [item for item in map(_understood, read) if item]
        new = await inbox.claim(tx, self._tables, self._claims, [envelope.event_id for envelope, _ in received])
        for envelope, event in received:
            if envelope.event_id in new:
                new.discard(envelope.event_id)
                await self._projection.handlers[type(event)](tx, self._beside, event, envelope)
                self._events += 1
        for record in records:
            self._reached[record.partition] = record.offset + 1

    async def _refuse_parked(self, tx: Transaction) -> None:
        if await parking.count(tx, self._tables, self._consumer):
            raise Conflict(
                "events-parked",
                f"Events of {self._consumer} are parked: run them first (doorstep bus replay {self._consumer}).",
            )


def _beside(table: Table, name: str) -> Table:
    """An empty twin of a table, without its indexes."""
    columns = [Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable) for c in table.c]
    return Table(name, MetaData(), *columns)


def _understood(record: Record) -> tuple[Envelope, Event] | None:
    """What cannot be read lies in the dead letters, and in no view."""
    try:
        envelope = Envelope.from_headers(record.headers)
        return envelope, read_event(envelope.type, record.value)
    except Undecodable:
        return None
