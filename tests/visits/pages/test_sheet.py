"""The sheet that a team prints: when, for whom, and with which visits. What cases gives out is tried
in tests/cases/dossiers; here each case has a name made of its id."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from services.visits.candidates.clients import CasesClient
from services.visits.caseload.tables import CaseloadRow
from services.visits.plans.domain import PlanStatus
from services.visits.plans.tables import DayPlanRow
from shared.auth import Role
from shared.events.cases import CaseHeld, CaseReleased
from shared.ids import new_id
from tests.visits.conftest import MONDAY, taipei
from tests.visits.plans.test_publishing import publish, solved_plan

SUNDAY, TUESDAY = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
LATER = MONDAY + timedelta(days=275)


class Sheet:
    def __init__(self, system, plan, team, collectors, cases):
        self.system, self.team, self.collectors, self.cases = system, team, collectors, cases
        self.path = f"/visits/v1/day-plans/{plan}/teams/{team}/sheet"

    async def asked(self, role=Role.COLLECTOR, subject=None):
        headers = self.system.bearer(role, subject=str(subject or self.collectors[0]))
        return await self.system.client.get(self.path, headers=headers)

    async def shown(self, **who):
        """The cases whose names are on it; None where there is no sheet."""
        answer = await self.asked(**who)
        if answer.status_code == 404:
            assert "Debtor of" not in answer.text
            return None
        assert answer.status_code == 200, answer.text
        return [case for case in self.cases if f"Debtor of {case}" in answer.text]


@pytest.fixture
def asked_of_cases(monkeypatch):
    """The readings that cases was asked for, a list of cases each."""
    asked = []

    async def dossiers(self, case_ids):
        asked.append([str(each) for each in case_ids])
        balance = {"currency": "TWD", "amount": "1"}
        return {
            each: {"name": f"Debtor of {each}", "phone": "", "addresses": [], "balance": balance, "bucket": "M2"}
            for each in case_ids
        }

    monkeypatch.setattr(CasesClient, "dossiers", dossiers)
    return asked


@pytest.fixture
async def sheet(system, asked_of_cases):
    """A published plan of Monday with three visits of one team; it is ten on Monday."""
    team, collectors = await system.team()
    cases = [await system.case() for _ in range(3)]
    plan = await solved_plan(system, {team: cases})
    assert await publish(system, plan) == (200, "PUBLISHED")
    return Sheet(system, plan, team, collectors, [str(each) for each in cases])


async def test_a_sheet_has_its_time(system, sheet, asked_of_cases):
    """For the team from the evening before to the end of the day; for a supervisor from the publication on."""
    for now, collector, supervisor in (
        (taipei(SUNDAY, 16), False, True),
        (taipei(SUNDAY, 17), True, True),
        (taipei(MONDAY, 0), True, True),
        (taipei(MONDAY, 23), True, True),
        (taipei(TUESDAY, 0), False, False),
        (taipei(LATER, 10), False, False),
    ):
        await system.at(now)
        asked_of_cases.clear()
        assert await sheet.shown() == (sheet.cases if collector else None)
        assert await sheet.shown(role=Role.SUPERVISOR) == (sheet.cases if supervisor else None)
        assert asked_of_cases == [sheet.cases] * (collector + supervisor)


@pytest.mark.dialect
async def test_visits_that_are_over_are_not_on_it_and_read_by_nobody(system, sheet, asked_of_cases):
    visits = {each["case_id"]: each["id"] for each in (await system.get("/visits"))["items"]}
    await system.post(f"/visits/{visits[sheet.cases[0]]}/cancel", {"reason": "CANCELLED_PAID"})
    assert await sheet.shown() == sheet.cases[1:]
    text = (await sheet.asked()).text
    assert "Not shown: 1 visits" in text
    assert "<td>1</td>" not in text  # the others keep their places on the route
    assert asked_of_cases == [sheet.cases[1:]] * 2


@pytest.mark.dialect
async def test_a_case_on_hold_is_not_on_it_until_the_hold_is_released(system, sheet):
    hold = new_id()
    held = CaseHeld(case_id=sheet.cases[1], hold_id=hold, reason="DISPUTE_PENDING", scope="all", review_on=LATER)
    await system.hear(held)
    assert await sheet.shown() == [sheet.cases[0], sheet.cases[2]]
    assert await sheet.shown(role=Role.SUPERVISOR) == [sheet.cases[0], sheet.cases[2]]
    await system.hear(CaseReleased(case_id=sheet.cases[1], hold_id=hold, reason="DISPUTE_PENDING"))
    assert await sheet.shown() == sheet.cases


async def test_it_says_what_the_narrowest_law_of_the_place_wants_at_the_door(system, sheet):
    """The gate judges a case of the federal law in Massachusetts by the law of that state, too; so does the sheet."""
    stay_outside = "Collectors stay outside unless they are invited in."
    assert stay_outside not in (await sheet.asked()).text
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(CaseloadRow).values(jurisdiction="us", country="US", region="MA"))
    assert stay_outside in (await sheet.asked()).text


@pytest.mark.dialect
async def test_a_plan_that_is_not_published_has_no_sheet(system, sheet):
    assert await sheet.shown(subject=new_id()) is None  # nor has another collector one of a published plan
    for status in (PlanStatus.SOLVED, PlanStatus.SUPERSEDED, PlanStatus.CANCELLED):
        async with system.runtime.database.transaction() as tx:
            await tx.session.execute(update(DayPlanRow).values(status=status))
        assert await sheet.shown() is None
        assert (await sheet.asked(role=Role.SUPERVISOR)).status_code == 409


async def test_who_is_suspended_gets_none_for_a_visit_under_way_until_reinstated(system, sheet):
    visits = {each["case_id"]: each["id"] for each in (await system.get("/visits"))["items"]}
    await system.post(f"/visits/{visits[sheet.cases[0]]}/dispatch")
    me, other = sheet.collectors
    await system.post(f"/collectors/{me}/suspend", {"reason": "under review"})
    assert await sheet.shown(subject=me) is None
    assert await sheet.shown(subject=other) == sheet.cases[:1]  # the planned visits were taken off: one cannot go alone
    await system.post(f"/collectors/{me}/reinstate", {"reason": "cleared up"})
    assert await sheet.shown(subject=me) == sheet.cases[:1]
