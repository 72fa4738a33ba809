"""Trail: events appended to one log and to twenty, from memory and from Kafka to a published checkpoint. The floor of
appending is COPY of the same rows into the same tables; beside it, the disk's fsyncs, and what an entry weighs.
"""

import asyncio
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from time import perf_counter

from sqlalchemy import select

from services.audit.attestations.sequencing import attested
from services.audit.attestations.tables import CHECKPOINT
from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE
from shared.bus.transport import Message, Partition, Record
from shared.clock import system_now
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope
from shared.events.values import Amount
from shared.ids import new_id
from tests.bench.figures import REPETITIONS, Figure, percentile
from tests.bench.stage import Stage, connect

BATCHES = 20
BATCH = 500
PLACE = Partition(TOPIC, 0)
# Every case is new here, so every head is a new row, too: the most that an entry can cost.
TABLES = ("entry", "entry_subject", "entry_rule", "tile", "subject_head", "aggregate_head")
LOGS = (1, 20)
FROM_KAFKA = 20_000
STEADY_RATE, STEADY_SECONDS = 500, 6
TOGETHER = 25


def records(start: int, logs: int = 1) -> list[Record]:
    return [_record(offset, f"lender-{offset % logs}") for offset in range(start, start + BATCH)]


def _record(offset: int, lender: str) -> Record:
    case_id = new_id()
    event = PaymentReceived(
        case_id=case_id,
        payment_id=new_id(),
        amount=Amount(amount="1250.00", currency="TWD"),
        received_on=date(2026, 3, 2),
    )
    envelope = Envelope(
        event_id=new_id(),
        source="/cases",
        type=event.type,
        occurred_at=system_now(),
        subject=case_id,
        partition_key=case_id,
        sequence=1,
        actor=SYSTEM,
        correlation_id=str(new_id()),
        lender_id=lender,
    )
    return Record(PLACE, offset, str(case_id), envelope.headers(), event.model_dump_json().encode())


async def measure(stage: Stage) -> list[Figure]:
    fsyncs = _fsyncs(stage.folder)
    disk = f"this disk does {min(fsyncs):,.0f}–{max(fsyncs):,.0f} fsyncs/s"
    figures = []
    for logs in LOGS:
        ours, floors, weights = [], [], []
        for _ in range(REPETITIONS):
            settings = await stage.settings(AuditSettings)
            ours.append(await _append(stage, settings, logs))
            floors.append(await _copy(stage, settings))
            weights.append(await _weight(settings))
        leaf, disk_bytes = weights[-1]
        note = (
            f"batches of {BATCH}, one commit each; {disk}; an entry takes {disk_bytes:,.0f} bytes on disk, indexes and "
        )
        note += f"subjects included, of which its leaf is {leaf:,.0f}"
        name = f"trail: entries appended to {logs} log{'s' if logs > 1 else ''}"
        figures.append(Figure(name, "entries/s", ours, {"COPY of the same rows": floors}, note))
    return figures + await _from_kafka(stage, figures[0].values)


async def _append(stage: Stage, settings: AuditSettings, logs: int) -> float:
    async with stage.runtime(SERVICE, settings) as runtime:
        sequencer = attested(runtime).sequencer
        assert await sequencer._lease.holds()
        made = [record for number in range(BATCHES) for record in records(number * BATCH, logs)]
        started = perf_counter()
        added = await sequencer.append({PLACE: made})  # a transaction for each batch
        seconds = perf_counter() - started
        assert added == BATCHES * BATCH
    return added / seconds


async def _copy(stage: Stage, settings: AuditSettings) -> float:
    """COPY of the same rows into the same tables in batches of as many entries, each committed."""
    source = await connect(settings)
    empty = await stage.settings(AuditSettings)
    async with stage.runtime(SERVICE, empty):
        target = await connect(empty)
        rows = {table: await source.fetch(f"SELECT * FROM {table} ORDER BY ctid") for table in TABLES}
        batches = [{table: _part(found, number) for table, found in rows.items()} for number in range(BATCHES)]
        started = perf_counter()
        for batch in batches:
            async with target.transaction():
                for table, part in batch.items():
                    await target.copy_records_to_table(table, records=part)
        seconds = perf_counter() - started
        await target.close()
    await source.close()
    return BATCHES * BATCH / seconds


def _part(rows: Sequence[tuple], number: int) -> list[tuple]:
    """The rows of one batch of all."""
    return [tuple(row) for row in rows[number * len(rows) // BATCHES : (number + 1) * len(rows) // BATCHES]]


async def _weight(settings: AuditSettings) -> tuple[float, float]:
    """Bytes of a leaf, and bytes on disk an entry, in the mean."""
    connection = await connect(settings)
    count, leaf = await connection.fetchrow("SELECT count(*), avg(length(leaf))::float8 FROM entry")
    sizes = ", ".join(f"pg_total_relation_size('{table}')" for table in TABLES)
    disk = sum(await connection.fetchrow(f"SELECT {sizes}"))
    await connection.close()
    return leaf, disk / count


async def _from_kafka(stage: Stage, from_memory: Sequence[float]) -> list[Figure]:
    """From a record on Kafka to a checkpoint that covers it: as fast as it goes, and at a steady rate."""
    settings = await stage.settings(AuditSettings)
    async with stage.runtime(SERVICE, settings) as runtime:
        both = attested(runtime)
        working = asyncio.ensure_future(asyncio.gather(both.sequencer.run(), both.publisher.run()))
        await _send(runtime, 100)
        await _published(runtime, sent := 100)
        rates = []
        for _ in range(REPETITIONS):
            await _send(runtime, FROM_KAFKA // REPETITIONS)
            sent += FROM_KAFKA // REPETITIONS
            started = perf_counter()
            before = sent - await _covered(runtime)
            await _published(runtime, sent)
            rates.append(before / (perf_counter() - started))
        waits = await _steadily(runtime, sent)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    worst = percentile(waits, 0.99) * 1000
    middle = percentile(waits, 0.5) * 1000
    note = f"sent in waves of {TOGETHER}; median {middle:,.0f} ms"
    return [
        Figure("trail: from Kafka to a checkpoint", "entries/s", rates, {"from memory": from_memory}),
        Figure(
            f"trail: until provable at {STEADY_RATE}/s, p99", "ms", [worst], {"a log is signed every": [200.0]}, note
        ),
    ]


async def _send(runtime, count: int) -> None:
    made = [_record(offset, "lender-0") for offset in range(count)]
    await runtime.transport.append([Message(TOPIC, each.key, each.headers, each.value) for each in made])


async def _covered(runtime) -> int:
    async with runtime.database.reading() as tx:
        newest = select(CHECKPOINT.c.size).where(CHECKPOINT.c.log_id == "lender-0")
        return await tx.session.scalar(newest.order_by(CHECKPOINT.c.size.desc()).limit(1)) or 0


async def _published(runtime, size: int) -> None:
    while await _covered(runtime) < size:
        await asyncio.sleep(0.002)


async def _steadily(runtime, sent: int) -> list[float]:
    """Seconds from the acknowledgement of each wave to a checkpoint that covers it."""
    waits: list[float] = []
    told: list[tuple[int, float]] = []
    ends = perf_counter() + STEADY_SECONDS

    async def tell() -> None:
        size = sent
        while perf_counter() < ends:
            began = perf_counter()
            await _send(runtime, TOGETHER)
            size += TOGETHER
            told.append((size, perf_counter()))
            await asyncio.sleep(max(0.0, TOGETHER / STEADY_RATE - (perf_counter() - began)))

    telling = asyncio.create_task(tell())
    while not telling.done() or told:
        covered = await _covered(runtime)
        now = perf_counter()
        while told and told[0][0] <= covered:
            waits.append(now - told.pop(0)[1])
        await asyncio.sleep(0.005)
    await telling
    return waits


def _fsyncs(folder: Path) -> Sequence[float]:
    """How often a second this disk takes 4 kB for good."""
    rates = []
    path = folder / "fsync"
    for _ in range(REPETITIONS):
        with path.open("wb", buffering=0) as file:
            started = perf_counter()
            for _ in range(100):
                file.write(bytes(4096))
                os.fsync(file.fileno())
            rates.append(100 / (perf_counter() - started))
    path.unlink()
    return rates
