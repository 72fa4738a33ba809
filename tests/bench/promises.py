"""Promises: payments into followup with an active promise on each case; the look for due promises among a million; and
one midnight of ten thousand. The floor of payments is the same consumer with a handler that does nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from time import perf_counter
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.followup.promises.jobs import judge_due_promises
from services.followup.promises.tables import PromiseRow
from services.followup.promises.usecases import JUDGED_AT_ONCE_MAX
from services.followup.settings import FollowupSettings
from services.followup.worker import SERVICE
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime
from tests.bench.figures import Figure
from tests.bench.stage import Stage

PAYMENTS = 100_000
OPEN, DUE, WORKERS, TICKS = 1_000_000, 10_000, 2, 20
PLACE = Partition(TOPIC, 0)
SEED_CASES = """
INSERT INTO followed_case (id, lender_id, version) SELECT {id}, 'lender-1', 0 FROM generate_series({span}) n
"""
SEED_PROMISES = """
INSERT INTO promise (id, case_id, lender_id, status, currency, promised_minor, paid_minor, instalments, missed,
  accounts, made_on, made_at, acted_at, time_zone, grace_days, grace_in, tolerance, tolerance_minor, on_missed,
  down_payment, judgement, asked_at, check_at, by_balance, frozen, version, revision)
SELECT {id}, {id}, 'lender-1', 'ACTIVE', 'TWD', 125000, 0,
  '[{{"due_on": "{due}", "counts_until": "{due}", "amount_minor": 125000, "paid_minor": 0}}]', '[]', '[]',
  '2026-03-02', now(), now(), 'Asia/Taipei', 0, 'CALENDAR', '0.95', 0, 'END', false, 0, 0,
  timestamptz '{due} 16:00+00', false, false, 1, 1 FROM generate_series({span}) n
"""


async def measure(stage: Stage) -> list[Figure]:
    return [await _measure_payments(stage), *await _measure_due(stage)]


async def _measure_payments(stage: Stage) -> Figure:
    settings = await stage.settings(FollowupSettings)
    async with stage.runtime(SERVICE, settings, create=True) as runtime:
        await seed(runtime, 1, PAYMENTS, due="2099-03-02")
        records = [_record(number) for number in range(1, PAYMENTS + 1)]
        done = await _rate(runtime, records)
        async with runtime.database.reading() as tx:
            paid = await tx.session.scalar(select(func.count()).where(col(PromiseRow.paid_minor) > 0))
        assert paid == PAYMENTS, f"{paid} promises have money"
        floor = await _rate(runtime, records, bare=True)
    return Figure(
        f"promises: {PAYMENTS:,} payments through followup, an active promise on each case",
        "events/s",
        [done],
        {"the same consumer, a handler that does nothing": [floor]},
        note="every second payment keeps its promise; measured once",
    )


async def _measure_due(stage: Stage) -> list[Figure]:
    """Ticks of the timer among a million promises that are not due, and one midnight of many."""
    start = datetime(2026, 3, 2, 4, tzinfo=UTC)
    settings = (await stage.settings(FollowupSettings)).model_copy(update={"clock": start})
    async with stage.runtime(SERVICE, settings, create=True) as runtime:
        await seed(runtime, 1, OPEN, due="2099-03-02")
        ticks, floors = [], []
        for _ in range(TICKS):
            started = perf_counter()
            assert await judge_due_promises(runtime) == 0
            ticks.append(1000 * (perf_counter() - started))
            started = perf_counter()
            async with runtime.database.transaction() as tx:
                await tx.session.execute(select(1))
            floors.append(1000 * (perf_counter() - started))
        await seed(runtime, OPEN + 1, OPEN + DUE, due="2026-03-03")
        async with runtime.database.transaction() as tx:
            await runtime.clock.move(tx, start + timedelta(days=2))
        started = perf_counter()
        judged = sum(await asyncio.gather(*(_judge_all(runtime) for _ in range(WORKERS))))
        seconds = perf_counter() - started
        assert judged == DUE, f"{judged} were judged"
    scan = Figure(
        f"promises: a look for due ones among {OPEN:,} open ones",
        "ms",
        ticks,
        {"a transaction of SELECT 1": floors},
    )
    midnight = Figure(
        f"promises: {DUE:,} due at one midnight judged by {WORKERS} timers",
        "s",
        [seconds],
        {"as many looks that find nothing": [DUE / JUDGED_AT_ONCE_MAX * median(ticks) / 1000]},
        note="measured once; each is broken, with its instalment missed and a visit asked for",
    )
    return [scan, midnight]


async def _judge_all(runtime: Runtime) -> int:
    judged = 0
    while done := await judge_due_promises(runtime):
        judged += done
    return judged


async def seed(runtime: Runtime, first: int, last: int, *, due: str) -> None:
    """Cases with a number, each with an active promise of one instalment."""
    names = {"id": "lpad(to_hex(n), 32, '0')::uuid", "span": f"{first}, {last}", "due": due}
    async with runtime.database.engine.begin() as connection:
        for statement in (SEED_CASES, SEED_PROMISES):
            await connection.exec_driver_sql(statement.format(**names))
    async with runtime.database.engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await free.exec_driver_sql("ANALYZE followed_case, promise")


def _record(number: int) -> Record:
    amount = Amount(amount="1250.00" if number % 2 else "600.00", currency="TWD")
    event = PaymentReceived(case_id=UUID(int=number), payment_id=new_id(), amount=amount, received_on=date(2026, 3, 3))
    envelope = Envelope(
        event_id=new_id(),
        source="/cases",
        type=event.type,
        occurred_at=system_now(),
        subject=event.case_id,
        partition_key=event.case_id,
        sequence=1,
        actor=SYSTEM,
        correlation_id="bench",
        lender_id="lender-1",
    )
    value = event.model_dump_json(exclude_none=True).encode()
    return Record(PLACE, number, str(event.case_id), envelope.headers(), value)


async def _rate(runtime: Runtime, records: Sequence[Record], *, bare: bool = False) -> float:
    """Events a second, in batches as large as the consumer itself asks for."""
    consumer = runtime.consumer()
    if bare:
        consumer.name, consumer._handlers = "bare", {PaymentReceived: _do_nothing}
    started, done = perf_counter(), 0
    while done < len(records):
        batch = records[done : done + consumer._records_max]
        await consumer.handle_batch(batch)
        done += len(batch)
    return len(records) / (perf_counter() - started)


async def _do_nothing(*_what: object) -> None:
    pass
