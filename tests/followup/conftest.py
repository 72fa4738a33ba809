"""followup as it runs: its app over HTTP, and its handlers fed with the events of the other services."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.followup.app import create_app
from services.followup.promises.jobs import judge_due_promises
from services.followup.settings import FollowupSettings
from services.followup.worker import SERVICE
from shared.events.cases import CaseOpened, PaymentReceived, PaymentReversed
from shared.events.values import Amount, Instalment
from shared.events.visits import PromiseTerms, VisitCompleted
from shared.ids import new_id
from shared.runtime import Runtime
from tests.databases import NewDatabase, database, migrated
from tests.one_service import LENDER, OneService, client_of

ZONE = "Asia/Taipei"
MONDAY = date(2026, 3, 2)


def noon(day: date) -> datetime:
    """Noon in Taipei."""
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def opened(case_id: UUID, lender_id: str = LENDER, region: str | None = None) -> CaseOpened:
    return CaseOpened(
        case_id=case_id,
        debtor_id=new_id(),
        lender_id=lender_id,
        placement_id=new_id(),
        jurisdiction="tw",
        country="TW",
        region=region,
        time_zone=ZONE,
        product="CREDIT_CARD",
        balance=Amount(amount="9000", currency="TWD"),
        days_past_due=60,
        bucket="M2",
        accounts=1,
    )


def promised(
    case_id: UUID, *instalments: tuple[date, str], day: date = MONDAY, promise_id: UUID | None = None, zone: str = ZONE
) -> VisitCompleted:
    """A visit of a day, at noon in Taipei, on which so much was promised until such days."""
    terms = [Instalment(due_on=due, amount=Amount(amount=amount, currency="TWD")) for due, amount in instalments]
    return VisitCompleted(
        case_id=case_id,
        visit_id=new_id(),
        team_id=new_id(),
        collector_ids=[new_id(), new_id()],
        purpose="DEMAND",
        started_at=noon(day),
        ended_at=noon(day),
        disposition="PROMISE_TO_PAY" if terms else "NO_ANSWER",
        person_met="DEBTOR",
        contact=True,
        promise=PromiseTerms(promise_id=promise_id or new_id(), instalments=terms) if terms else None,
        evidence=[],
        decision_id=new_id(),
        record_incomplete=False,
        missing=[],
        time_zone=zone,
    )


def paid(
    case_id: UUID, amount: str, day: date, *, currency: str = "TWD", payment_id: UUID | None = None, **fields: Any
) -> PaymentReceived:
    money = Amount(amount=amount, currency=currency)
    return PaymentReceived(case_id=case_id, payment_id=payment_id or new_id(), amount=money, received_on=day, **fields)


def taken_back(
    case_id: UUID, amount: str, day: date, *, currency: str = "TWD", payment_id: UUID | None = None, **fields: Any
) -> PaymentReversed:
    """A payment of a day, or a part of it, was taken back."""
    return PaymentReversed(
        case_id=case_id,
        reversal_id=new_id(),
        account_id=new_id(),
        payment_id=payment_id,
        amount=Amount(amount=amount, currency=currency),
        received_on=day,
        **fields,
    )


class System(OneService):
    """A followup with a simulated clock that the test sets."""

    async def settle_at(self, now: datetime) -> int:
        """The clock shows this time, and the timer runs until nothing is due. Returns how many were judged."""
        await self.at(now)
        judged = 0
        while done := await judge_due_promises(self.runtime):
            judged += done
        return judged

    async def totals(self) -> Any:
        return await self.get("/promises/totals")


@asynccontextmanager
async def running(settings: FollowupSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        yield System(runtime, client)


@pytest.fixture
def on_postgresql(fresh_database: NewDatabase, tmp_path: Path) -> FollowupSettings:
    return FollowupSettings(data_dir=tmp_path, clock=noon(MONDAY), database_url=fresh_database(SERVICE))


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> FollowupSettings:
    return migrated(FollowupSettings(data_dir=tmp_path, clock=noon(MONDAY), **database(request, SERVICE)), SERVICE)


@pytest.fixture
async def system(settings: FollowupSettings) -> AsyncIterator[System]:
    async with running(settings) as running_system:
        yield running_system


def conserved(totals: Any) -> bool:
    """The two sums that must hold whatever happened."""
    counts = totals["promises"]
    return counts["made"] == sum(count for name, count in counts.items() if name != "made") and all(
        float(money["received"]) == float(money["applied_to_promises"]) + float(money["unapplied"])
        for money in totals["money"].values()
    )


def ids(items: Sequence[Any]) -> list[str]:
    return [item["id"] for item in items]
