"""Events on Kafka and PostgreSQL: from a service's commit to the commit of the one that handled it.

Relay and consumer are those of the services, each in a process as services are deployed; the handler writes one row.
The floor is aiokafka alone, in one process: the same messages, keys and headers produced and consumed with the same
guarantees, and nothing stored.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from time import perf_counter
from uuid import UUID

from sqlalchemy import func, select

from services.followup.settings import FollowupSettings
from services.followup.worker import SERVICE as FOLLOWUP
from shared.bus.consumer import BATCH_RECORDS_MIN
from shared.bus.relay import Relay, _message
from shared.bus.transport import Message, Record
from shared.database import Transaction
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import Envelope
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime
from shared.settings import Settings
from tests.bench.figures import REPETITIONS, Figure, percentile
from tests.bench.stage import Stage, environment
from tests.bench.taking import SERVICE, Effect

BURST = 10_000
REAL_BURST = 3_000
PATIENCE_SECONDS = 60
STEADY_PER_SECOND = 50
STEADY_SECONDS = 4
LINE_BYTES_MAX = 2**22


class Taker:
    """The service that hears, in its own process."""

    def __init__(self, process: Process) -> None:
        self.done = 0
        self._process = process

    async def next(self, count: int) -> dict[str, float]:
        """Wait until so many more events have been handled. Returns when the effects of each were committed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"%d\n" % count)
        async with asyncio.timeout(PATIENCE_SECONDS):
            done_at: dict[str, float] = json.loads(await self._process.stdout.readline())
        self.done += len(done_at)
        return done_at


async def publish(runtime: Runtime, count: int) -> list[str]:
    """Write `count` events to the outbox in one transaction. Returns their ids."""
    async with runtime.database.transaction() as tx:
        for _ in range(count):
            case_id = new_id()
            tx.publish_as(payment(case_id), subject=case_id, version=1, key=case_id, lender_id="lender-1")
        return [str(each.row["event_id"]) for each in tx.outbox]


def payment(case_id: UUID) -> PaymentReceived:
    amount = Amount(amount="1250.00", currency="TWD")
    return PaymentReceived(case_id=case_id, payment_id=new_id(), amount=amount, received_on=date(2026, 3, 2))


@asynccontextmanager
async def taking(settings: Settings) -> AsyncIterator[Taker]:
    command, environs = (sys.executable, "-m", "tests.bench.taking"), environment(settings)
    process = await asyncio.create_subprocess_exec(
        *command, env=environs, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES_MAX
    )
    try:
        yield Taker(process)
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            process.kill()
            raise


async def measure(stage: Stage) -> list[Figure]:
    return [*await _measure_delivery(stage), await _measure_real_handlers(stage)]


async def _measure_delivery(stage: Stage) -> list[Figure]:
    sender_settings, taker_settings = await stage.settings(), await stage.settings()
    async with (
        stage.runtime(SERVICE, sender_settings, create=True) as sender,
        stage.runtime(SERVICE, taker_settings, create=True) as heard,
        taking(taker_settings) as taker,
    ):
        relay = Relay(sender.database, SERVICE.tables.bus, sender.transport, wake=sender.events_waiting)
        bursts, messages = await _bursts(sender, taker, relay)
        running = asyncio.create_task(relay.run())
        steady = [await _steady(sender, taker) for _ in range(REPETITIONS)]
        running.cancel()
        await asyncio.wait([running])
        await _all_there(heard, taker.done)
    raw_bursts, raw_steady = await _raw(stage, messages)
    latencies = [
        Figure(
            f"events: commit to the consumer's commit, {name} at {STEADY_PER_SECOND}/s",
            "ms",
            [percentile(times, part) for times in steady],
            {"aiokafka alone": [percentile(times, part) for times in raw_steady]},
        )
        for name, part in (("p50", 0.5), ("p99", 0.99))
    ]
    burst = Figure(
        f"events: burst of {BURST:,} waiting in the outbox", "events/s", bursts, {"aiokafka alone": raw_bursts}
    )
    return [*latencies, burst]


async def _measure_real_handlers(stage: Stage) -> Figure:
    """Payments into followup as it is: each locks its case's row, reads its promises, and is written down."""
    sender_settings, taker_settings = await stage.settings(), await stage.settings(FollowupSettings)
    rates: list[float] = []
    floors: list[float] = []
    async with (
        stage.runtime(SERVICE, sender_settings, create=True) as sender,
        stage.runtime(FOLLOWUP, taker_settings, create=True) as taker,
    ):
        relay = Relay(sender.database, SERVICE.tables.bus, sender.transport, wake=sender.events_waiting)
        assert await relay._lease.holds()
        for _ in range(REPETITIONS):
            for _ in range(REAL_BURST // 500):
                await publish(sender, 500)
            while await relay.relay_once():
                pass
            records = await _newest(taker, REAL_BURST)
            consumer = taker.consumer()
            started = perf_counter()
            for start in range(0, REAL_BURST, BATCH_RECORDS_MIN):
                await consumer.handle_batch(records[start : start + BATCH_RECORDS_MIN])
            rates.append(REAL_BURST / (perf_counter() - started))
            bare = taker.consumer()
            bare.name, bare._handlers = f"bare-{new_id()}", {PaymentReceived: _do_nothing}
            started = perf_counter()
            for start in range(0, REAL_BURST, BATCH_RECORDS_MIN):
                await bare.handle_batch(records[start : start + BATCH_RECORDS_MIN])
            floors.append(REAL_BURST / (perf_counter() - started))
    return Figure(
        "events: payments through followup's own handler, from records in memory",
        "events/s",
        rates,
        {"the same consumer, a handler that does nothing": floors},
        note="cases without a promise; a batch costs one lock, one read a table and one write a table",
    )


async def _do_nothing(_tx: Transaction, _event: PaymentReceived, _envelope: Envelope) -> None:
    pass


async def _newest(runtime: Runtime, count: int) -> list[Record]:
    """The last records on the topic, as many as were just published."""
    ends = await runtime.transport.ends([TOPIC])
    records = []
    async for found in runtime.transport.history({place: (0, end) for place, end in ends.items()}):
        records += found
    return sorted(records, key=lambda record: record.headers["ce_id"])[-count:]


async def _bursts(sender: Runtime, taker: Taker, relay: Relay) -> tuple[list[float], list[Message]]:
    """Events a second from a full outbox to the last commit; and the messages of the last burst."""
    assert await relay._lease.holds()
    await publish(sender, 100)
    while await relay.relay_once():
        pass
    await taker.next(100)  # the group has been shared out
    rates = []
    for _ in range(REPETITIONS):
        for _ in range(BURST // 500):
            await publish(sender, 500)
        async with sender.database.reading() as tx:
            outbox = SERVICE.tables.bus.outbox
            waiting = (await tx.session.execute(select(outbox).where(outbox.c.published_at.is_(None)))).all()
        started = perf_counter()
        while await relay.relay_once():
            pass
        rates.append(BURST / (max((await taker.next(BURST)).values()) - started))
    return rates, [_message(row) for row in waiting]


async def _steady(sender: Runtime, taker: Taker) -> list[float]:
    """Milliseconds from each commit to its consumer's commit, one event a transaction."""
    committed: dict[str, float] = {}
    begun = perf_counter()
    for number in range(STEADY_PER_SECOND * STEADY_SECONDS):
        await asyncio.sleep(max(0.0, begun + number / STEADY_PER_SECOND - perf_counter()))
        [event_id] = await publish(sender, 1)
        committed[event_id] = perf_counter()
    done_at = await taker.next(len(committed))
    return [1000 * (done_at[event_id] - at) for event_id, at in committed.items()]


async def _all_there(heard: Runtime, count: int) -> None:
    async with heard.database.reading() as tx:
        stored = await tx.session.scalar(select(func.count()).select_from(Effect))
    assert stored == count, f"{count} events were handled, {stored} effects are there"


async def _raw(stage: Stage, messages: list[Message]) -> tuple[list[float], list[list[float]]]:
    """The same messages through aiokafka alone: bursts (events/s), and latencies at the steady rate (ms)."""
    transport = await stage.transport("bench-raw")
    subscription = await transport.subscribe(f"bench-raw-{new_id()}", [TOPIC])
    for place, end in (await transport.ends([TOPIC])).items():
        if place in subscription.assigned:
            await subscription.seek(place, end)
    arrived: list[tuple[str, float]] = []

    async def take(count: int) -> None:
        while len(arrived) < count:
            for records in (await subscription.poll(records_max=1000, timeout_seconds=1)).values():
                arrived.extend((record.headers["ce_id"], perf_counter()) for record in records)

    bursts, steady = [], []
    for _ in range(REPETITIONS):
        arrived.clear()
        taking = asyncio.create_task(take(len(messages)))
        started = perf_counter()
        await transport.append(messages)
        await taking
        bursts.append(len(messages) / (perf_counter() - started))
    for _ in range(REPETITIONS):
        arrived.clear()
        few = messages[: STEADY_PER_SECOND * STEADY_SECONDS]
        taking = asyncio.create_task(take(len(few)))
        sent, begun = {}, perf_counter()
        for number, message in enumerate(few):
            await asyncio.sleep(max(0.0, begun + number / STEADY_PER_SECOND - perf_counter()))
            sent[message.headers["ce_id"]] = perf_counter()
            await transport.append([message])
        await taking
        steady.append([1000 * (at - sent[event_id]) for event_id, at in arrived])
    await transport.close()
    return bursts, steady
