"""What a plan was made from is deleted seven days after its day: who asks for it learns that, and why."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from services.visits.plans import domain, expiry
from services.visits.plans.tables import DayPlanRow, PlanBasisRow
from services.visits.worker import SERVICE
from shared.auth import Role
from tests.visits.conftest import MONDAY, System, taipei
from tests.visits.plans.test_publishing import publish, solved_plan

LATER = MONDAY + timedelta(days=domain.BASIS_KEPT_DAYS)
DUE = datetime(2026, 3, 9, 12, tzinfo=UTC)
"""The seventh day after Monday begins here where a day begins last."""


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (DUE, MONDAY),
        (DUE - timedelta(seconds=1), MONDAY - timedelta(days=1)),
        (DUE + timedelta(days=1), MONDAY + timedelta(days=1)),
        (datetime(2026, 1, 1, tzinfo=UTC), date(2025, 12, 24)),
    ],
)
def test_a_basis_is_kept_until_the_seventh_day_has_begun_everywhere(now, day):
    assert domain.last_day_without_basis(now) == day


async def timer(system: System) -> int:
    """What the worker does until nothing is due: how many bases it deleted."""
    [delete] = [each for each in SERVICE.timers if each.name == "plan-bases"]
    deleted = 0
    while count := await delete.run(system.runtime):
        deleted += count
    return deleted


async def bases(system: System) -> tuple[int, int]:
    """How many bases and keys of bases are stored."""
    keys = system.runtime.vault.table
    async with system.runtime.database.reading() as tx:
        rows = await tx.session.scalar(select(func.count()).select_from(PlanBasisRow))
        wrapped = await tx.session.scalar(select(func.count()).select_from(keys).where(keys.c["class"] == "basis"))
    return rows or 0, wrapped or 0


async def plan_for(system: System, day: date) -> UUID:
    team, _ = await system.team()
    plan_id = await solved_plan(system, {team: [await system.case()]})
    async with system.runtime.database.transaction() as tx:
        (await tx.session.get_one(DayPlanRow, plan_id)).day = day
    return plan_id


@pytest.mark.dialect
async def test_the_timer_deletes_bases_of_old_plans_and_their_routes_answer_410(system: System, monkeypatch) -> None:
    monkeypatch.setattr(expiry, "PLANS_AT_ONCE", 1)
    team, _ = await system.team()
    published = await solved_plan(system, {team: [await system.case()]})
    assert await publish(system, published) == (200, "PUBLISHED")
    solved, next_day = [await plan_for(system, day) for day in (MONDAY, MONDAY + timedelta(days=1))]
    await system.at(DUE - timedelta(seconds=1))
    assert await timer(system) == 0
    await system.get(f"/day-plans/{published}/routes")

    await system.at(DUE)
    workers = await asyncio.gather(timer(system), timer(system))
    assert sum(workers) == 2
    assert await timer(system) == 0
    assert await bases(system) == (1, 1)
    history = (await system.get(f"/day-plans/{published}/revisions"))["items"]
    assert [each["what"] for each in history].count("basis-deleted") == 1
    for part in ("routes", "map", "geojson"):
        gone = await system.get(f"/day-plans/{published}/{part}", 410)
        assert gone["title"] == "plan-basis-deleted"
        assert "7 days" in gone["detail"]
    body = {"case_id": str(team), "team_id": str(team), "position": 0}
    for action, sent in (("move", body), ("publish", None)):
        assert (await system.post(f"/day-plans/{solved}/{action}", sent, 410))["title"] == "plan-basis-deleted"
    await system.get(f"/day-plans/{published}/teams/{team}/sheet", 404)  # as for every day that is over
    await system.get(f"/day-plans/{next_day}/routes")


async def test_figures_reasons_and_visits_stay_and_the_plan_says_when(system: System) -> None:
    team, _ = await system.team()
    plan_id = await solved_plan(system, {team: [await system.case()]})
    await publish(system, plan_id)
    before = await system.get(f"/day-plans/{plan_id}")
    await system.at(taipei(LATER, 23))
    assert await timer(system) == 1
    after = await system.get(f"/day-plans/{plan_id}")
    assert before["basis_deleted_at"] is None
    assert datetime.fromisoformat(after["basis_deleted_at"]) == taipei(LATER, 23)
    assert after["visits"] == before["visits"] == len((await system.get("/visits", plan_id=str(plan_id)))["items"]) == 1
    await system.get(f"/day-plans/{plan_id}/left-out")
    *_, last = (await system.get(f"/day-plans/{plan_id}/revisions"))["items"]
    assert (last["what"], last["made_by"]) == ("basis-deleted", "system:doorstep")


async def test_a_plan_that_never_had_routes_is_not_called_deleted(system: System) -> None:
    await system.team()
    asked = await system.client.post(
        "/visits/v1/day-plans", json={"day": str(MONDAY)}, headers=system.bearer(Role.SUPERVISOR)
    )
    plan_id = asked.json()["id"]
    for now in (DUE - timedelta(days=7), DUE + timedelta(days=30)):
        await system.at(now)
        assert await timer(system) == 0
        assert (await system.get(f"/day-plans/{plan_id}/routes", 409))["title"] == "plan-not-solved"
