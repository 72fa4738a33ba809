"""visits as it runs: its app over HTTP, and its handlers fed with the events of the other services."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.cli.demo import acts
from services.visits.app import create_app
from services.visits.caseload import usecases as caseload
from services.visits.settings import VisitsSettings
from services.visits.visit.usecases import PlannedStop, plan_visit, store_planned
from services.visits.worker import SERVICE
from shared.events import cases
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime
from tests.databases import database, migrated
from tests.one_service import LENDER, OneService, client_of

MONDAY = date(2026, 3, 2)
DIGEST = "5a" * 32


def taipei(day: date, hour: int, minute: int = 0) -> datetime:
    """A time by Taipei's clock."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


class System(OneService):
    """A visits with a simulated clock: it is ten on Monday, in Taipei."""

    async def case(self, *, verified: bool = True, hazard: bool = False, **facts: Any) -> UUID:
        """A case of which all is known that the law asks for."""
        sound = {
            "case_id": new_id(),
            "debtor_id": new_id(),
            "lender_id": LENDER,
            "placement_id": new_id(),
            "jurisdiction": "tw",
            "country": "TW",
            "time_zone": "Asia/Taipei",
            "product": "CREDIT_CARD",
            "balance": Amount(amount="250000", currency="TWD"),
            "days_past_due": 60,
            "bucket": "M2",
            "accounts": 1,
            "prior_notice_at": taipei(date(2026, 2, 10), 10),
        }
        opened = cases.CaseOpened(**(sound | facts))
        case_id = opened.case_id
        checked = cases.AddressVerified(case_id=case_id, address_id=new_id(), verified=verified, hazard=hazard)
        referred = cases.CaseReferred(case_id=case_id, referral_id=new_id(), rule_id="large", inputs={})
        await self.hear(opened, checked, referred)
        return case_id

    async def team(self, size: int = 2) -> tuple[UUID, list[UUID]]:
        """Collectors who may be sent, two unless another size is named."""
        team, collectors = await self.actor().does(acts.form_team("Team", *[{}] * size))
        return UUID(team), [UUID(each) for each in collectors]

    async def collectors(self, count: int = 2) -> list[UUID]:
        """Collectors who may be sent, of no team."""
        return [UUID((await self.post("/collectors", acts.FIT_COLLECTOR, 201))["id"]) for _ in range(count)]

    async def visit(self, case_id: UUID, team: tuple[UUID, list[UUID]], *, hour: int = 10, day: date = MONDAY) -> UUID:
        """A planned visit, as the planner writes it."""
        start = taipei(day, hour)
        stop = PlannedStop(team[0], team[1], 0, start, start + timedelta(minutes=20), (25.03, 121.56))
        async with self.runtime.database.transaction(now=taipei(MONDAY, 9)) as tx:
            case = (await caseload.lock_all(tx, [case_id]))[case_id]
            visit = plan_visit(case, stop, plan_id=new_id())
            await store_planned(tx, [(visit, stop.position)])
        return visit.id


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> VisitsSettings:
    return migrated(VisitsSettings(data_dir=tmp_path, clock=taipei(MONDAY, 10), **database(request, SERVICE)), SERVICE)


@pytest.fixture
async def system(settings: VisitsSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        yield System(runtime, client)
