"""Trail: events appended to a log of the trail. The floor is COPY of the same entries; beside it, the disk's fsyncs."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from time import perf_counter

from services.audit.settings import AuditSettings
from services.audit.trail.sequencer import Sequencer
from services.audit.worker import SERVICE
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope
from shared.events.values import Amount
from shared.ids import new_id
from tests.bench.figures import REPETITIONS, Figure
from tests.bench.stage import Stage, connect

BATCHES = 30
BATCH = 500
PLACE = Partition(TOPIC, 0)
TABLES = ("entry", "entry_subject")


def records(start: int) -> list[Record]:
    return [_record(offset) for offset in range(start, start + BATCH)]


def _record(offset: int) -> Record:
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
        causation_id=None,
        lender_id="lender-1",
        traceparent=None,
    )
    return Record(PLACE, offset, str(case_id), envelope.headers(), event.model_dump_json().encode())


async def measure(stage: Stage) -> list[Figure]:
    ours, floors = [], []
    for _ in range(REPETITIONS):
        settings = await stage.settings(AuditSettings)
        async with stage.runtime(SERVICE, settings) as runtime:
            sequencer = Sequencer(runtime)
            assert await sequencer._lease.holds()
            waves = [records(number * BATCH) for number in range(BATCHES)]
            started = perf_counter()
            added = sum([await sequencer.append({PLACE: wave}) for wave in waves])
            ours.append(added / (perf_counter() - started))
            assert added == BATCHES * BATCH
        floors.append(await _copy(stage, settings))
    fsyncs = _fsyncs(stage.folder)
    note = f"batches of {BATCH}, one commit each; this disk does {min(fsyncs):,.0f}–{max(fsyncs):,.0f} fsyncs/s"
    return [Figure("trail: entries appended to one log", "entries/s", ours, {"COPY": floors}, note)]


async def _copy(stage: Stage, settings: AuditSettings) -> float:
    """COPY of the same rows in the same batches, each committed."""
    source = await connect(settings)
    empty = await stage.settings(AuditSettings)
    async with stage.runtime(SERVICE, empty):
        target = await connect(empty)
        rows = {table: await source.fetch(f"SELECT * FROM {table} ORDER BY idx") for table in TABLES}
        started = perf_counter()
        for number in range(BATCHES):
            async with target.transaction():
                for table, found in rows.items():
                    size = len(found) // BATCHES
                    part = [tuple(each) for each in found[number * size : (number + 1) * size]]
                    await target.copy_records_to_table(table, records=part)
        seconds = perf_counter() - started
        await target.close()
    await source.close()
    return BATCHES * BATCH / seconds


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
