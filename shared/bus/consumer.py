"""The consumer: takes batches from the bus to a service's handlers, each event once, each key in order.

A batch is one transaction: claim, handle, positions, outbox rows. Only then is the offset committed.
A handler that fails is tried again event by event, then its key is parked; a database that is away is waited for.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy.exc import InterfaceError, OperationalError

from shared.bus import inbox
from shared.bus.tables import BusTables
from shared.bus.transport import (
    Record,
    StaleMember,
    Subscription,
    Transport,
    TransportClosed,
    TransportDown,
    dead_letter_topic,
)
from shared.clock import monotonic_seconds, system_now
from shared.database import Context, Database, Transaction
from shared.errors import Unavailable
from shared.events.envelope import Envelope, Event, Undecodable, decode
from shared.events.registry import event_class
from shared.telemetry import BATCH_SECONDS, DEAD_LETTERS, DELIVERY_SECONDS, HANDLED, PARKED, Log

BATCH_RECORDS_MAX = 100
ATTEMPTS_MAX = 5
POLL_SECONDS = 1.0
BACK_OFF_SECONDS_MAX = 10.0

# What says that the database is away or busy: nobody's event is at fault, so none is parked for it.
AWAY = (OperationalError, InterfaceError, Unavailable, OSError)

_log = Log("consumer")

Handler = Callable[[Transaction, Any, Envelope], Awaitable[None]]
Now = Callable[[Transaction], Awaitable[Any]]


def in_turn(*handlers: Handler) -> Handler:
    """One handler out of several rooms' handlers of the same event, in this order."""

    async def handle(tx: Transaction, event: Any, envelope: Envelope) -> None:
        for handler in handlers:
            await handler(tx, event, envelope)

    return handle


@dataclass(frozen=True, slots=True)
class Received:
    """A record that was understood: its envelope and its event."""

    record: Record
    envelope: Envelope
    event: Event


class Consumer:
    """One member of a service's group. `handlers` maps event classes to what the service does on each."""

    def __init__(
        self,
        name: str,
        *,
        database: Database,
        tables: BusTables,
        transport: Transport,
        topics: Sequence[str],
        handlers: Mapping[type[Event], Handler],
        business_now: Now,
    ) -> None:
        self.name = name
        self.topics = topics
        self._database = database
        self._tables = tables
        self._transport = transport
        self._handlers = handlers
        self._business_now = business_now
        self.progressed_at = monotonic_seconds()

    async def run(self) -> None:
        """Consume for ever, until cancelled or the transport is closed."""
        back_off_seconds = 0.1
        while True:
            try:
                await self._consume()
            except TransportClosed:
                return
            except StaleMember:
                continue  # the group was shared out anew: join again
            except (TransportDown, *AWAY) as error:
                _log.warning("cannot go on now", consumer=self.name, reason=type(error).__name__)
                await asyncio.sleep(back_off_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
            else:
                back_off_seconds = 0.1

    async def _consume(self) -> None:
        subscription = await self._transport.subscribe(self.name, self.topics)
        try:
            while True:
                await self.consume_once(subscription)
        finally:
            with contextlib.suppress(TransportDown, TransportClosed):
                await subscription.close()

    async def consume_once(self, subscription: Subscription, timeout_seconds: float = POLL_SECONDS) -> int:
        """Handle what one poll brings. Returns how many records there were."""
        batches = await subscription.poll(records_max=BATCH_RECORDS_MAX, timeout_seconds=timeout_seconds)
        if batches:
            await self.handle_batch([record for records in batches.values() for record in records])
            await subscription.commit({place: records[-1].offset + 1 for place, records in batches.items()})
        self.progressed_at = monotonic_seconds()
        return sum(len(records) for records in batches.values())

    async def handle_batch(self, records: Sequence[Record]) -> None:
        """Apply records, each partition's in order, in one transaction; what was applied before is passed over."""
        started = monotonic_seconds()
        try:
            await self._apply(records)
        except AWAY:
            raise  # infrastructure: wait and come again, nobody's event is at fault
        except Exception as error:
            _log.warning("batch failed, trying one by one", consumer=self.name, reason=type(error).__name__)
            for record in records:
                await self._apply_or_park(record)
        BATCH_SECONDS.labels(self.name).observe(monotonic_seconds() - started)

    async def _apply(self, records: Sequence[Record]) -> None:
        async with self._database.transaction() as tx:
            received = self._read(tx, records)
            if received:
                tx.now = await self._business_now(tx)
                received = await self._not_parked(tx, received)
                new = await inbox.claim(tx, self._tables, self.name, [item.envelope.event_id for item in received])
                for item in received:
                    if item.envelope.event_id not in new:
                        HANDLED.labels(self.name, item.envelope.type, "duplicate").inc()
                        continue
                    new.discard(item.envelope.event_id)
                    await self._handle(tx, item)
            await inbox.move_on(tx, self._tables, self.name, {r.partition: r.offset + 1 for r in records})
        now = system_now()
        for item in received:
            DELIVERY_SECONDS.labels(self.name).observe(max(0.0, (now - item.envelope.occurred_at).total_seconds()))

    def _read(self, tx: Transaction, records: Sequence[Record]) -> list[Received]:
        """Decode the records that this consumer listens to. What cannot be read goes to the dead letters."""
        received = []
        for record in records:
            try:
                kind = event_class(record.headers.get("ce_type", ""))
                if kind in self._handlers:
                    received.append(
                        Received(record, Envelope.from_headers(dict(record.headers)), decode(kind, record.value))
                    )
            except Undecodable as error:
                self._bury(tx, record, str(error))
        return received

    async def _not_parked(self, tx: Transaction, received: Sequence[Received]) -> list[Received]:
        """What may be handled now; what belongs to a parked key waits behind it."""
        parked = await inbox.parked_keys(tx, self._tables, self.name)
        for item in received:
            if item.record.key in parked:
                await inbox.park(tx, self._tables, self.name, item.record, error="waits behind its key", attempts=0)
        return [item for item in received if item.record.key not in parked]

    async def _handle(self, tx: Transaction, item: Received) -> None:
        envelope = item.envelope
        tx.context = Context(
            actor=envelope.actor,
            correlation_id=envelope.correlation_id,
            causation_id=str(envelope.event_id),
            traceparent=envelope.traceparent,
        )
        await self._handlers[type(item.event)](tx, item.event, envelope)
        HANDLED.labels(self.name, envelope.type, "done").inc()

    async def _apply_or_park(self, record: Record) -> None:
        """Try one event several times; an event that cannot be handled parks its key, others go on."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                await self._apply([record])
                return
            except AWAY:
                raise
            except Exception as error:
                reason = type(error).__name__
                await asyncio.sleep(0.01 * 2**attempt)
        _log.error("event parked", consumer=self.name, event_type=record.headers.get("ce_type"), reason=reason)
        PARKED.labels(self.name).inc()
        async with self._database.transaction() as tx:
            await inbox.park(tx, self._tables, self.name, record, error=reason, attempts=ATTEMPTS_MAX)
            await inbox.move_on(tx, self._tables, self.name, {record.partition: record.offset + 1})

    def _bury(self, tx: Transaction, record: Record, reason: str) -> None:
        """To the dead letters: unchanged, plus where it came from and why. Its own id follows from its place,
        so that burying it twice writes one row."""
        DEAD_LETTERS.labels(self.name).inc()
        _log.error("event unreadable", consumer=self.name, topic=record.partition.topic, offset=record.offset)
        place = f"{self.name}/{record.partition.topic}/{record.partition.number}/{record.offset}"
        row_id = uuid5(NAMESPACE_OID, place)
        origin = {"dlq_place": place, "dlq_error": reason}
        tx.add_to_outbox(
            topic=dead_letter_topic(record.partition.topic, self.name),
            key=row_id,
            headers={**record.headers, **origin},
            payload=record.value,
            event_id=row_id,
            subject=row_id,
            version=1,
        )

    async def replay(self, key: str) -> int:
        """Run the parked events of a key again, in order, until one fails. Returns how many were cured."""
        cured = 0
        async with self._database.reading() as tx:
            waiting = await inbox.parked_records(tx, self._tables, self.name, key)
        for row_id, record in waiting:
            item = Received(
                record,
                Envelope.from_headers(dict(record.headers)),
                decode(event_class(record.headers["ce_type"]), record.value),
            )
            async with self._database.transaction() as tx:
                tx.now = await self._business_now(tx)
                if await inbox.claim(tx, self._tables, self.name, [item.envelope.event_id]):
                    await self._handle(tx, item)
                await inbox.unpark(tx, self._tables, row_id)
            cured += 1
        return cured
