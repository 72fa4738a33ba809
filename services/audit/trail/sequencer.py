"""The sequencer: takes every record of every topic into the logs, exactly once and in one order.

The positions that count are in the trail's own database, moved with the entries; the broker's are for display. Entries,
tiles, heads and positions are one transaction; then, and only then, the publisher signs the new heads.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import and_, func, select

from services.audit.settings import AuditSettings
from services.audit.tlog.leaf import instant
from services.audit.trail.appending import Batches, Drafts, append_own, append_records, drafts_of, waves_of
from services.audit.trail.entries import OPERATOR, heads, heartbeat
from services.audit.trail.growth import Growth
from services.audit.trail.state import HALTED, TrailBroken, bus_generation, forget_state, note_halt
from services.audit.trail.statements import HEADS_LOGS_MAX
from services.audit.trail.storage import logs_born_before
from services.audit.trail.tables import HEAD, KAFKA_POS, SOURCE_SKIP
from shared.bus.consumer import BACK_OFF_SECONDS_MAX
from shared.bus.lease import Lease, LeaseLost
from shared.bus.reports import Reports
from shared.bus.transport import Partition, StaleMember, Subscription, TransportClosed, TransportDown
from shared.bus.watchdog import Silent, Watchdog
from shared.clock import system_now
from shared.database import AWAY, Transaction
from shared.events.registry import TOPICS
from shared.runtime import Runtime
from shared.telemetry import CONSUMER_RECREATED, TRAIL_ALARMS, TRAIL_BROKEN, Log, Throttled

# What one poll brings at most, and one transaction takes: while one is stored the next is drafted.
POLL_RECORDS_MAX = 2000
BATCH_RECORDS_MAX = 500
POLL_SECONDS = 1.0
TELL_AGAIN_SECONDS = 60.0

_log = Log("sequencer")


class Sequencer:
    """The one writer of the trail, by a lease. `check_start` raises TrailBroken where nothing may be added; `publish`
    signs what is committed; `grown` says that a log has grown."""

    def __init__(
        self,
        runtime: Runtime,
        lease: Lease,
        *,
        check_start: Callable[[], Awaitable[None]],
        publish: Callable[[], Awaitable[int]],
        grown: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._settings = AuditSettings.of(runtime.settings)
        self._lease = lease
        self._check_start, self._publish, self._grown = check_start, publish, grown
        tables = runtime.service.tables.bus
        self.watchdog = Watchdog("audit", runtime.database, tables, runtime.transport, sorted(TOPICS), positions)
        self._trouble = Throttled(_log)
        # What comes next in each partition that was placed; one that is not here is placed before anything is taken.
        self._next: dict[Partition, int] = {}
        self._last_beat = 0
        self._looked_at = False
        self._sound = False  # whether the trail was found to be what was signed, and the bus what was taken
        self.under_way = asyncio.Lock()  # held while a batch is: who takes it and keeps it drains this sequencer

    @property
    def leads(self) -> bool:
        """Whether this process may sign: it holds the lease and found nothing wrong. The lease alone is not enough: a
        process that refuses to start takes it to say why."""
        return self._sound and self._lease.epoch > 0

    async def run(self) -> None:
        """Sequence for ever. Refuses to begin where the trail contradicts what was signed (TrailBroken). Where a topic
        is not what it was it stops with an alarm, and never begins anew by itself."""
        await self._begin()
        TRAIL_BROKEN.set(0)
        back_off_seconds = 0.1
        while True:
            try:
                await self.watchdog.over(self._sequence)
            except TransportClosed:
                return
            except TrailBroken as broken:
                await self._halt(broken)
            except (StaleMember, LeaseLost):
                self._lease.lose()
            except Silent:
                CONSUMER_RECREATED.labels("audit").inc()
                _log.error("no progress although events wait: joining again", consumer="audit")
            except (TransportDown, *AWAY) as error:
                if not isinstance(error, TransportDown):  # of which the transport itself tells
                    self._trouble.warning("database away", consumer="audit", reason=type(error).__name__)
                await asyncio.sleep(back_off_seconds)
                back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
                continue
            back_off_seconds = 0.1

    async def _begin(self) -> None:
        """Look at the trail before anything is added. Raises TrailBroken."""
        back_off_seconds = 0.1
        while True:
            try:
                await self._check_start()
                self._sound = True
                return
            except TrailBroken as broken:
                await self._note_halt(broken)
                if self._lease.epoch:
                    await self._lease.release()  # another process may find nothing wrong
                raise
            except TransportDown:
                await asyncio.sleep(back_off_seconds)
                back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)

    async def _note_halt(self, broken: TrailBroken) -> None:
        """Remember why, for those who ask another process. While another process sequences, the trail has not halted:
        a standby that refuses to start says so in its own log alone."""
        with contextlib.suppress(LeaseLost, *AWAY):
            if await self._lease.holds():
                async with self._runtime.database.transaction() as tx:
                    await self._fence(tx)
                    await note_halt(tx, str(broken), system_now())
        self.watchdog.halted = True

    async def _halt(self, broken: TrailBroken) -> None:
        """Until a person has looked and started this process again: what was taken now could be a second history."""
        self._sound = False
        TRAIL_BROKEN.set(1)
        await self._note_halt(broken)
        self._lease.lose()
        while True:
            _log.error("the trail takes no entry until a person has looked", reason=str(broken))
            await asyncio.sleep(TELL_AGAIN_SECONDS)

    async def _sequence(self) -> None:
        while not await self._lease.holds():
            await asyncio.sleep(POLL_SECONDS)
        await self._publish()  # what a crash left unsigned comes before what is new
        subscription = await self._runtime.transport.subscribe("audit", sorted(TOPICS))
        reports = Reports(subscription)  # for those who look at the broker
        self._next.clear()
        try:
            while True:
                if not await self._lease.holds():
                    raise LeaseLost
                await self._place(subscription)
                await self.sequence_once(subscription)
                await reports.reached(self._next)
                async with self.under_way:
                    await self.beat()
        finally:
            await subscription.close()

    async def _place(self, subscription: Subscription) -> None:
        """Start each newly assigned partition where the trail's own position says, less one: that record must still
        be the one that was taken last."""
        assigned = subscription.assigned
        self._next = {place: offset for place, offset in self._next.items() if place in assigned}
        new = assigned - self._next.keys()
        if not new:
            return
        async with self._runtime.database.reading() as tx:
            reached = await positions(tx)
        ends = await self._runtime.transport.ends(sorted(TOPICS))
        for partition in new:
            position = reached.get(partition, 0)
            if position > ends[partition]:
                raise TrailBroken(f"{partition.topic}/{partition.number} is shorter than what was taken from it")
            self._next[partition] = max(0, position - 1)
            await subscription.seek(partition, self._next[partition])
        if not any(reached.get(partition, 0) for partition in new):
            await self._go_on()

    async def _go_on(self) -> None:
        """The bus is what it was: a halt of before is over."""
        if self._looked_at:
            return
        async with self._runtime.database.transaction() as tx:
            await forget_state(tx, HALTED)
        self._looked_at = True

    async def sequence_once(self, subscription: Subscription, timeout_seconds: float = POLL_SECONDS) -> int:
        """Take in what one poll brings. Returns how many entries were added."""
        polled = await subscription.poll(records_max=POLL_RECORDS_MAX, timeout_seconds=timeout_seconds)
        batches = {place: records for place, records in polled.items() if self._in_turn(place, records[0].offset)}
        async with self.under_way:
            added = await self.append(batches) if batches else 0
        if batches:
            await self._go_on()
        self._next.update({place: records[-1].offset + 1 for place, records in batches.items()})
        return added

    def _in_turn(self, place: Partition, offset: int) -> bool:
        """Whether a partition goes on where the last poll ended. If it does not, the member was placed anew without our
        doing, or the topic was made again: so we place it again, with all that is checked then."""
        expected = self._next.get(place)
        if expected is not None and offset > expected:
            raise TrailBroken(f"{place.topic}/{place.number}: {expected} to {offset - 1} are not there any more")
        if offset != expected:
            self._next.pop(place, None)
        return offset == expected

    async def append(self, batches: Batches) -> int:
        """Add the records that are new, one wave after the other; the next is drafted while one is stored, and thrown
        away should that fail. Raises TrailBroken where a topic is not what it was."""
        waves: list[Batches] = [*waves_of(batches, BATCH_RECORDS_MAX), {}]
        drafts, added = await drafts_of(waves[0], system_now()), 0
        for following in waves[1:]:
            stored, drafts = await asyncio.gather(self._store(drafts), drafts_of(following, system_now()))
            added += stored
        return added

    async def _store(self, drafts: Drafts) -> int:
        """Add a wave in one transaction."""
        async with self._runtime.database.transaction() as tx:
            await self._fence(tx)
            growth = await append_records(tx, drafts, system_now())
        self._tell(growth)
        return len(growth.entries)

    async def beat(self) -> int:
        """An entry in each log once every DOORSTEP_HEARTBEAT_SECONDS, so that silence is provable: nothing came. Before
        them the operator's log names size and root of every log, and each of them names the operator's in return. A log
        that is younger than this beat has none. Returns how many were added."""
        every, now = self._settings.heartbeat_seconds, system_now()
        beat = int(now.timestamp()) // every
        if beat == self._last_beat:
            return 0
        async with self._runtime.database.transaction() as tx:
            await self._fence(tx)
            logs = await logs_born_before(tx, instant(now.fromtimestamp(beat * every, now.tzinfo)))
            naming = [heads(data["part"], data, now) for data in await _heads_of(tx, beat, every)] if logs else []
            named = await append_own(tx, naming, now)
            operator = named.known.frontiers[OPERATOR]
            head = operator.size, operator.root()
            growth = await append_own(tx, [heartbeat(log, beat, every, now, head) for log in logs], now)
        self._last_beat = beat
        self._tell(named)
        self._tell(growth)
        return len(named.entries) + len(growth.entries)

    async def _fence(self, tx: Transaction) -> None:
        if not await tx.session.scalar(select(self._lease.still_mine)):
            raise LeaseLost

    def _tell(self, growth: Growth) -> None:
        """After the commit: what is new is to be signed, and somebody may have to look."""
        if growth.entries:
            self._grown()
        for alarm in growth.alarms:
            TRAIL_ALARMS.labels(alarm.type).inc()
            _log.error("look at this entry of the trail", event_type=alarm.type, log=alarm.log, reason=alarm.about)


async def positions(tx: Transaction, _tables: object = None, _consumer: str = "") -> dict[Partition, int]:
    """How far the trail has come in each partition."""
    rows = (await tx.session.execute(select(KAFKA_POS.c.topic, KAFKA_POS.c.part, KAFKA_POS.c.next_offset))).all()
    return {Partition(topic, part): next_offset for topic, part, next_offset in rows}


async def _heads_of(tx: Transaction, beat: int, every_seconds: int) -> list[dict[str, Any]]:
    """Size and root of every log, in parts that fit a leaf; with the first, how far each partition was taken."""
    rows = (await tx.session.execute(select(HEAD.c.log_id, HEAD.c.size, HEAD.c.root).order_by(HEAD.c.log_id))).all()
    logs = [{"log": log, "size": size, "root": root.hex()} for log, size, root in rows if size]
    parts = [logs[start : start + HEADS_LOGS_MAX] for start in range(0, len(logs), HEADS_LOGS_MAX)]
    return [
        {
            "beat": beat,
            "every_seconds": every_seconds,
            "part": number,
            "logs": part,
            "sources": await _sources(tx) if number == 0 else [],
        }
        for number, part in enumerate(parts)
    ]


async def _sources(tx: Transaction) -> list[dict[str, Any]]:
    """How far each partition was taken, and how many of its records made no entry."""
    same = and_(
        SOURCE_SKIP.c.generation == await bus_generation(tx),
        SOURCE_SKIP.c.topic == KAFKA_POS.c.topic,
        SOURCE_SKIP.c.part == KAFKA_POS.c.part,
        SOURCE_SKIP.c.off < KAFKA_POS.c.next_offset,
    )
    skipped = select(func.count()).where(same).scalar_subquery()
    rows = await tx.session.execute(
        select(KAFKA_POS.c.topic, KAFKA_POS.c.part, KAFKA_POS.c.next_offset, skipped)
        .where(KAFKA_POS.c.next_offset > 0)
        .order_by(KAFKA_POS.c.topic, KAFKA_POS.c.part)
    )
    return [
        {"topic": topic, "partition": part, "next_offset": next_offset, "skipped": count}
        for topic, part, next_offset, count in rows
    ]
