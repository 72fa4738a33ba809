"""What an event costs the transaction that publishes it: the same work with and without, in turns, on PostgreSQL.

The least transaction that can be thought of writes one row and reads none; the least real one places a hold (lock the
case, write the hold, change the case); the one that matters most ends a visit, with a promise.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import timedelta
from time import perf_counter
from unittest import mock
from uuid import UUID

from services.cases.casefile.tables import CaseRow
from services.cases.holds.domain import PlaceHold
from services.cases.holds.usecases import place_hold
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE as CASES
from services.visits.settings import VisitsSettings
from services.visits.visit.completion import complete
from services.visits.visit.schemas import CompleteVisitBody
from services.visits.visit.usecases import lock
from services.visits.worker import SERVICE as VISITS
from shared.auth import Actor, Role
from shared.clock import system_now
from shared.database import Transaction
from shared.events.envelope import Event
from shared.ids import new_id
from shared.law import HoldReason, HoldScope
from shared.runtime import Runtime
from tests.bench.events import SERVICE, Effect, payment
from tests.bench.figures import REPETITIONS, Figure, percentile
from tests.bench.http import checked_in, record
from tests.bench.stage import Stage

WRITES = 200
CASE = UUID(int=1)
SUPERVISOR = Actor("bench", frozenset({Role.SUPERVISOR}))


async def measure(stage: Stage) -> list[Figure]:
    async with stage.runtime(SERVICE, await stage.settings(), create=True) as runtime:
        least = await _in_turns(runtime, _write_one_row)
    async with stage.runtime(CASES, await stage.settings(CasesSettings)) as runtime:
        async with runtime.database.transaction() as tx:
            tx.session.add(_case())
        hold = await _in_turns(runtime, _place_hold)
    async with stage.runtime(VISITS, await stage.settings(VisitsSettings)) as runtime:
        visits = [visit.id for visit in await checked_in(runtime, 2 * WRITES * REPETITIONS)]
        ending = await _in_turns(runtime, lambda tx: _end_visit(tx, visits.pop()))
    return [
        Figure("outbox: write one row and publish it, p50", "ms", least[0], {"the row alone": least[1]}),
        Figure(
            "outbox: place a hold and publish it, p50",
            "ms",
            hold[0],
            {"the hold alone": hold[1]},
            note="the event is one statement more, and so a round trip to the server: by asyncpg alone, without "
            "SQLAlchemy, that trip cost 34 % of the one row and 25 % of a transaction that locks and changes a row",
        ),
        Figure("outbox: end a visit and publish it, p50", "ms", ending[0], {"the visit alone": ending[1]}),
    ]


async def _in_turns(
    runtime: Runtime, write: Callable[[Transaction], Awaitable[None]]
) -> tuple[list[float], list[float]]:
    """Milliseconds of the middle transaction of each repetition, with the event and without."""
    with_event, without = [], []
    for _ in range(REPETITIONS):
        publishing: list[float] = []
        silent: list[float] = []
        for _ in range(WRITES):
            for times, switch in (
                (publishing, nullcontext()),
                (silent, mock.patch.object(Transaction, "publish_as", _publish_nothing)),
            ):
                with switch:
                    started = perf_counter()
                    async with runtime.database.transaction() as tx:
                        await write(tx)
                    times.append(1000 * (perf_counter() - started))
        with_event.append(percentile(publishing, 0.5))
        without.append(percentile(silent, 0.5))
    return with_event, without


def _publish_nothing(_tx: Transaction, _event: Event, **_place: object) -> None:
    pass


async def _write_one_row(tx: Transaction) -> None:
    case_id = new_id()
    tx.session.add(Effect(event_id=new_id(), case_id=case_id))
    tx.publish_as(payment(case_id), subject=case_id, version=1, key=case_id)


async def _place_hold(tx: Transaction) -> None:
    review_on = (tx.now + timedelta(days=30)).date()
    command = PlaceHold(CASE, HoldReason.DISPUTE_PENDING, HoldScope.ALL, review_on)
    await place_hold(tx, command, actor=SUPERVISOR)


async def _end_visit(tx: Transaction, visit_id: UUID) -> None:
    visit, case = await lock(tx, visit_id, seen_by=SUPERVISOR)
    await complete(tx, visit, case, CompleteVisitBody(**record()), actor=SUPERVISOR, settings=VisitsSettings())


def _case() -> CaseRow:
    return CaseRow(
        id=CASE, lender_id="lender-1", debtor_id=new_id(), placement_id=new_id(), jurisdiction="tw", country="TW",
        time_zone="Asia/Taipei", product="CREDIT_CARD", currency="TWD", balance_minor=25_000_000,
        asked_minor=25_000_000, open_accounts=1, days_past_due=60,
        bucket="B2", accounts=1, opened_at=system_now(), version=1,
    )  # fmt: skip
