"""The consumer: takes batches from the bus to a service's handlers, each event once, each key in order.

A batch is one transaction: claim, handle, positions, outbox rows. The broker is told after that, once a second.
A handler that fails is tried again event by event, then its key is parked; a database that is away is waited for.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from shared.bus import inbox, parking
from shared.bus.handling import ByBatch, Handler, Heard, Received, in_groups
from shared.bus.parking import Choice
from shared.bus.reports import Reports
from shared.bus.tables import BusTables
from shared.bus.transport import (
    Partition,
    Record,
    Subscription,
    Transport,
    TransportClosed,
    TransportDown,
    dead_letter_topic,
)
from shared.bus.watchdog import Positions, Silent, Watchdog
from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY, Context, Database, Transaction
from shared.events.envelope import Envelope, Event, Undecodable
from shared.events.operations import ParkedEventsReplayed
from shared.events.registry import FutureVersion, event_class, name_of, read_event
from shared.ids import new_id
from shared.telemetry import (
    BATCH_SECONDS,
    CONSUMER_RECREATED,
    DEAD_LETTERS,
    DELIVERY_SECONDS,
    HANDLED,
    HANDLER_SECONDS,
    PARKED,
    Log,
    Throttled,
)
from shared.tracing import handler_span

BATCH_RECORDS_MIN = 100
BATCH_RECORDS_MAX = 500
# Larger batches cost less an event; but a transaction holds locks, so it must not take long.
BATCH_SECONDS_SHORT = 0.1
BATCH_SECONDS_LONG = 0.25
ATTEMPTS_MAX = 5
POLL_SECONDS = 1.0
BACK_OFF_SECONDS_MAX = 10.0

_log = Log("consumer")

Now = Callable[[Transaction], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to, by events; and how many outbox rows the relay tries again."""

    keys: Sequence[str]
    cured: int
    still_parked: int
    released: int


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
        positions: Positions = inbox.positions,
    ) -> None:
        self.name = name
        self.topics = topics
        self.watchdog = Watchdog(name, database, tables, transport, topics, positions)
        self._database = database
        self._tables = tables
        self._transport = transport
        self._handlers = handlers
        self._names = {name_of(kind.type) for kind in handlers}
        self._business_now = business_now
        self._trouble = Throttled(_log)
        self._records_max = BATCH_RECORDS_MIN
        self.under_way = asyncio.Lock()  # held while a batch is: who takes it and keeps it drains this consumer

    async def run(self) -> None:
        """Consume for ever, until cancelled or the transport is closed."""
        back_off_seconds = 0.1
        while True:
            try:
                await self.watchdog.over(self._consume)
            except TransportClosed:
                return
            except Silent:
                CONSUMER_RECREATED.labels(self.name).inc()
                _log.error("no progress although events wait: joining again", consumer=self.name)
            except (TransportDown, *AWAY) as error:
                if not isinstance(error, TransportDown):  # of which the transport itself tells
                    self._trouble.warning("database away", consumer=self.name, reason=type(error).__name__)
                await asyncio.sleep(back_off_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
                continue
            back_off_seconds = 0.1

    async def _consume(self) -> None:
        subscription = await self._transport.subscribe(self.name, self.topics)
        reports = Reports(subscription)
        try:
            while True:
                await reports.reached(await self.consume_once(subscription))
        finally:
            try:
                await reports.last_word()
            finally:
                with contextlib.suppress(TransportDown, TransportClosed):
                    await subscription.close()

    async def consume_once(
        self, subscription: Subscription, timeout_seconds: float = POLL_SECONDS
    ) -> Mapping[Partition, int]:
        """Handle what one poll brings. Returns the next offset of each partition that it brought records of."""
        batches = await subscription.poll(records_max=self._records_max, timeout_seconds=timeout_seconds)
        if batches:
            async with self.under_way:
                await self.handle_batch([record for records in batches.values() for record in records])
        return {place: records[-1].offset + 1 for place, records in batches.items()}

    async def handle_batch(self, records: Sequence[Record]) -> None:
        """Apply records, each partition's in order, in one transaction; what was applied before is passed over."""
        started = monotonic_seconds()
        await self._apply_or_halve(records)
        seconds = monotonic_seconds() - started
        BATCH_SECONDS.labels(self.name).observe(seconds)
        if seconds > BATCH_SECONDS_LONG:
            self._records_max = max(self._records_max // 2, BATCH_RECORDS_MIN)
        elif seconds < BATCH_SECONDS_SHORT and len(records) == self._records_max:
            self._records_max = min(self._records_max * 2, BATCH_RECORDS_MAX)

    async def _apply_or_halve(self, records: Sequence[Record]) -> None:
        """What fails together is tried in halves, in order, down to the one event that is at fault."""
        try:
            await self._apply(records)
        except AWAY:
            raise  # infrastructure: wait and come again, nobody's event is at fault
        except Exception as error:
            if len(records) == 1:
                await self._try_again_or_park(records[0], error)
                return
            _log.info("batch failed, trying its halves", consumer=self.name, reason=type(error).__name__)
            middle = len(records) // 2
            await self._apply_or_halve(records[:middle])
            await self._apply_or_halve(records[middle:])

    async def _apply(self, records: Sequence[Record]) -> None:
        async with self._database.transaction() as tx:
            received = await self._read(tx, records)
            new: list[Received] = []
            if received:
                tx.now = await self._business_now(tx)
                received = await self._not_parked(tx, received)
                new = await self._claim(tx, received)
                for together in in_groups(new, self._handlers):
                    await self._handle(tx, together)
            await inbox.move_on(tx, self._tables, self.name, {r.partition: r.offset + 1 for r in records})
        self._count(received, new)

    async def _claim(self, tx: Transaction, received: Sequence[Received]) -> list[Received]:
        """What this consumer has not handled yet, each event once."""
        claimed = await inbox.claim(tx, self._tables, self.name, [item.envelope.event_id for item in received])
        new = []
        for item in received:
            if item.envelope.event_id in claimed:
                claimed.discard(item.envelope.event_id)
                new.append(item)
        return new

    def _count(self, received: Sequence[Received], new: Sequence[Received]) -> None:
        now, delivery = system_now(), DELIVERY_SECONDS.labels(self.name)
        for item in new:
            delivery.observe(max(0.0, (now - item.envelope.occurred_at).total_seconds()))
        done = Counter(item.envelope.type for item in new)
        again = Counter(item.envelope.type for item in received) - done
        for result, counts in (("done", done), ("duplicate", again)):
            for wire_type, count in counts.items():
                HANDLED.labels(self.name, wire_type, result).inc(count)

    async def _read(self, tx: Transaction, records: Sequence[Record]) -> list[Received]:
        """Decode the records that this consumer listens to. What cannot be read goes to the dead letters."""
        received = []
        for record in records:
            try:
                wire_type = record.headers.get("ce_type", "")
                if name_of(wire_type) in self._names:
                    received.append(_received(record))
                else:
                    event_class(wire_type)
            except Undecodable as error:
                await self._bury(tx, record, str(error))
        return received

    async def _not_parked(self, tx: Transaction, received: Sequence[Received]) -> list[Received]:
        """What may be handled now; what belongs to a parked key waits behind it."""
        parked = await parking.parked_keys(tx, self._tables, self.name, {item.record.key for item in received})
        free = []
        for item in received:
            if item.record.key not in parked and not isinstance(item.event, FutureVersion):
                free.append(item)
                continue
            first = item.record.key not in parked
            parked.add(item.record.key)
            error, attempts = (str(item.event), 1) if first else (parking.WAITS, 0)
            await self._park(tx, item, error=error, attempts=attempts)
        return free

    async def _park(self, tx: Transaction, item: Received, *, error: str, attempts: int) -> None:
        event_id = item.envelope.event_id
        await parking.park(tx, self._tables, self.name, event_id, item.record, error=error, attempts=attempts)

    async def _handle(self, tx: Transaction, items: Sequence[Received]) -> None:
        """Handle events of one type: together where their handler takes batches, else one by one."""
        first = items[0].event
        if isinstance(first, FutureVersion):
            raise first
        handler, started = self._handlers[type(first)], monotonic_seconds()
        with contextlib.ExitStack() as spans:
            if isinstance(handler, ByBatch):
                contexts = [spans.enter_context(self._context_of(item)) for item in items]
                pairs = zip(items, contexts, strict=True)
                await handler.handle(tx, [Heard(item.event, item.envelope, context) for item, context in pairs])
            else:
                for item in items:
                    with self._context_of(item) as tx.context:
                        await handler(tx, item.event, item.envelope)
        seconds = (monotonic_seconds() - started) / len(items)
        for item in items:
            HANDLER_SECONDS.labels(self.name, item.envelope.type).observe(seconds)

    @contextmanager
    def _context_of(self, item: Received) -> Iterator[Context]:
        envelope = item.envelope
        with handler_span(self.name, envelope.type, envelope.traceparent) as traceparent:
            yield Context(
                actor=envelope.actor,
                correlation_id=envelope.correlation_id,
                causation_id=str(envelope.event_id),
                traceparent=traceparent,
            )

    async def _try_again_or_park(self, record: Record, error: Exception) -> None:
        """Try one event several times; an event that cannot be handled parks its key, others go on."""
        for attempt in range(1, ATTEMPTS_MAX):
            await asyncio.sleep(0.01 * 2**attempt)
            try:
                await self._apply([record])
                return
            except AWAY:
                raise
            except Exception as again:
                error = again
        reason = type(error).__name__
        wire_type = record.headers.get("ce_type", "")
        _log.error("event parked", consumer=self.name, event_type=wire_type, reason=reason)
        HANDLED.labels(self.name, wire_type, "failed").inc()
        PARKED.labels(self.name).inc()
        async with self._database.transaction() as tx:
            await self._park(tx, _received(record), error=reason, attempts=ATTEMPTS_MAX)
            await inbox.move_on(tx, self._tables, self.name, {record.partition: record.offset + 1})

    async def _bury(self, tx: Transaction, record: Record, reason: str) -> None:
        """To the dead letters: unchanged, plus where it came from and why. Its own id follows from its place, and is
        claimed: so it is buried once, however often it comes."""
        place = f"{self.name}/{record.partition.topic}/{record.partition.number}/{record.offset}"
        row_id = uuid5(NAMESPACE_OID, place)
        if not await inbox.claim(tx, self._tables, self.name, [row_id]):
            return
        DEAD_LETTERS.labels(self.name).inc()
        _log.error("event unreadable", consumer=self.name, topic=record.partition.topic, offset=record.offset)
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

    async def replay(self, choice: Choice, context: Context) -> Replayed:
        """Run parked events again, each key in order, until one fails; then leave an entry in the trail."""
        async with self._database.reading() as tx:
            keys = await parking.keys_of(tx, self._tables, self.name, choice)
        cured = 0
        for key in keys:
            while await self._replay_first(key, until=choice.event_id):
                cured += 1
        async with self._database.transaction(context) as tx:
            tx.now = await self._business_now(tx)
            still_parked = await parking.count(tx, self._tables, self.name, keys)
            released = await parking.release_outbox(tx, self._tables, choice)
            operation_id = new_id()
            event = ParkedEventsReplayed(
                operation_id=operation_id, consumer=self.name, keys=keys, cured=cured, still_parked=still_parked
            )
            tx.publish_as(event, subject=operation_id, version=1, key=operation_id)
        return Replayed(keys, cured, still_parked, released)

    async def _replay_first(self, key: str, *, until: UUID | None) -> bool:
        """Handle the first parked event of a key. False when there is none left to handle, or when it fails again."""
        row_id = 0
        try:
            async with self._database.transaction() as tx:
                tx.now = await self._business_now(tx)
                row = await parking.take_first(tx, self._tables, self.name, key)
                if row is None or (until is not None and row.event_id > until):
                    raise _NothingLeft
                item = _received(parking.record_of(row))
                row_id = row.id
                if await inbox.claim(tx, self._tables, self.name, [item.envelope.event_id]):
                    await self._handle(tx, [item])
            return True
        except _NothingLeft:
            return False
        except AWAY:
            raise
        except Exception as error:
            _log.warning("parked event failed again", consumer=self.name, reason=type(error).__name__)
            reason = str(error) if isinstance(error, FutureVersion) else type(error).__name__
            async with self._database.transaction() as tx:
                await parking.failed_again(tx, self._tables, row_id, reason)
            return False


class _NothingLeft(Exception):
    """Takes back the transaction that found nothing to replay."""


def _received(record: Record) -> Received:
    """Read a record. Raises Undecodable; a newer version than this program knows is an event to wait for."""
    envelope = Envelope.from_headers(record.headers)
    try:
        return Received(record, envelope, read_event(envelope.type, record.value))
    except FutureVersion as newer:
        return Received(record, envelope, newer)
