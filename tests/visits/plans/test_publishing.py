"""Plans published and changed at the same moment, on both databases: one of two supervisors is told of the other, and
no team, no case and no person stands on two plans of a day."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import insert

from services.visits.caseload import usecases as caseload
from services.visits.plans.domain import PlanStatus
from services.visits.plans.plan_basis import Basis
from services.visits.plans.publishing import Solved, store_solved
from services.visits.plans.tables import DayPlanRow, LeftOutRow, PlanBasisRow
from services.visits.routing.day import Day, Door, Team
from shared.auth import Role
from shared.ids import new_id
from tests.visits.conftest import MONDAY, System, taipei

ORIGIN = datetime(2026, 3, 1, tzinfo=UTC)
PRIZE = {"seconds": 900, "stake": "1", "currency": "TWD", "chance": "1", "weight": "1", "outranks": None}


def second(hour: int) -> int:
    return int((taipei(MONDAY, hour) - ORIGIN).total_seconds())


async def solved_plan(system: System, routes: dict[UUID, list[UUID]]) -> UUID:
    """A plan that stands solved, each team with these cases, as the planner stores it."""
    case_ids = [case_id for cases in routes.values() for case_id in cases]
    window = (second(11), second(17))
    doors = tuple(Door(str(case_id), n + 1, (window,), 1200, prize=900) for n, case_id in enumerate(case_ids))
    teams = tuple(Team(str(team_id), 0, 0, (second(11), second(18)), 15) for team_id in routes)
    size = len(doors) + 1
    table = [[0 if a == b else 600 for b in range(size)] for a in range(size)]
    positions = tuple((25 + n / 100, 121.5) for n in range(size))
    basis = Basis(ORIGIN, Day(teams, doors, table), positions, table, {door.id: PRIZE for door in doors})
    names = {str(team_id): [str(case_id) for case_id in cases] for team_id, cases in routes.items()}
    async with system.runtime.database.transaction(now=taipei(MONDAY, 9)) as tx:
        plan = DayPlanRow(
            id=new_id(), day=MONDAY, status=PlanStatus.DRAFT, request={}, asked_by="supervisor:s-1",
            asked_at=tx.now, left_out={}, version=0,
        )  # fmt: skip
        tx.session.add(plan)
        await tx.session.flush()
        await store_solved(tx, plan, Solved(basis, names, [], [], "beeline", {}))
    return plan.id


async def publish(system: System, plan_id: UUID) -> tuple[int, str]:
    answer = await system.client.post(f"/visits/v1/day-plans/{plan_id}/publish", headers=system.bearer(Role.SUPERVISOR))
    document = answer.json()
    return answer.status_code, document.get("status" if answer.status_code == 200 else "title")


async def visits_of(system: System, plan_id: UUID) -> list[str]:
    return [visit["case_id"] for visit in (await system.get("/visits", plan_id=str(plan_id)))["items"]]


@pytest.mark.dialect
async def test_of_plans_for_one_team_published_at_once_one_stands(system):
    team, _ = await system.team()
    plans = [await solved_plan(system, {team: [await system.case()]}) for _ in range(4)]
    answers = await asyncio.gather(*(publish(system, plan_id) for plan_id in plans))
    assert sorted(answers) == [(200, "PUBLISHED"), *[(409, "team-has-a-plan")] * 3]
    assert sum([len(await visits_of(system, plan_id)) for plan_id in plans]) == 1


async def test_teams_named_in_another_order_do_not_wait_for_each_other(system):
    (one, _), (two, _) = await system.team(), await system.team()
    plans = []
    for order in ((one, two), (two, one)) * 2:
        plans.append(await solved_plan(system, {team: [await system.case()] for team in order}))
    answers = await asyncio.wait_for(asyncio.gather(*(publish(system, plan_id) for plan_id in plans)), 30)
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]


@pytest.mark.dialect
async def test_a_case_on_plans_of_two_teams_is_visited_once(system):
    case_id = await system.case()
    plans = [await solved_plan(system, {(await system.team())[0]: [case_id, await system.case()]}) for _ in range(3)]
    answers = await asyncio.gather(*(publish(system, plan_id) for plan_id in plans))
    assert answers == [(200, "PUBLISHED")] * 3
    visited = [str(case_id) in await visits_of(system, plan_id) for plan_id in plans]
    assert sum(visited) == 1
    [left] = (await system.get(f"/day-plans/{plans[visited.index(False)]}/left-out"))["items"]
    assert (left["case_id"], left["reason"]) == (str(case_id), "on-another-plan")
    assert "另一行程" in left["zh"]


@pytest.mark.dialect
async def test_a_person_with_two_cases_is_visited_once_a_day(system):
    first, other = await system.case(), await system.case()
    async with system.runtime.database.transaction() as tx:
        for row in (await caseload.lock_all(tx, [first, other])).values():
            row.person_ref = "person-1"
    plans = [await solved_plan(system, {(await system.team())[0]: [case_id]}) for case_id in (first, other)]
    assert [await publish(system, plan_id) for plan_id in plans] == [(200, "PUBLISHED")] * 2
    assert [len(await visits_of(system, plan_id)) for plan_id in plans] == [1, 0]


@pytest.mark.dialect
async def test_what_is_refused_at_publication_is_off_the_routes_and_those_behind_it_stand_at_the_time_they_are_told(
    system,
):
    team, _ = await system.team()
    cases = [await system.case() for _ in range(3)]
    plan_id = await solved_plan(system, {team: cases})
    async with system.runtime.database.transaction() as tx:
        for row in (await caseload.lock_all(tx, [cases[0]])).values():
            row.holds = {str(new_id()): {"reason": "COMPLAINT_PENDING", "scope": "all"}}
    assert await publish(system, plan_id) == (200, "PUBLISHED")
    [route] = (await system.get(f"/day-plans/{plan_id}/routes"))["items"]
    told = {
        visit["case_id"]: visit["window_start"]
        for visit in (await system.get("/visits", plan_id=str(plan_id)))["items"]
    }
    assert {stop["case_id"]: stop["start"] for stop in route["stops"]} == told
    assert set(told) == set(map(str, cases[1:]))
    plan = await system.get(f"/day-plans/{plan_id}")
    assert (plan["visits"], plan["kilometres"], plan["cost"]) == (2, 1.8, 3 * 600 + 900)
    [left] = (await system.get(f"/day-plans/{plan_id}/left-out"))["items"]
    assert (left["case_id"], left["reason"], left["rule_id"]) == (str(cases[0]), "held", "house-hold")
    assert left["decision_id"]
    assert "申訴" in left["zh"]
    assert "complaint" in left["en"]


async def test_routes_that_the_day_does_not_allow_are_not_published_whoever_made_them(system):
    team, _ = await system.team()
    plan_id = await solved_plan(system, {team: [await system.case() for _ in range(2)]})
    async with system.runtime.database.transaction() as tx:
        row = await tx.session.get_one(PlanBasisRow, plan_id)
        row.routes = {name: [*cases, cases[0]] for name, cases in row.routes.items()}
    assert await publish(system, plan_id) == (409, "plan-does-not-stand")
    assert await visits_of(system, plan_id) == []


@pytest.mark.dialect
@pytest.mark.parametrize("verb", ["move", "publish", "cancel"])
async def test_of_two_who_saw_the_same_version_one_changes_it(system, verb):
    team, _ = await system.team()
    cases = [await system.case() for _ in range(3)]
    plan_id = await solved_plan(system, {team: cases})
    path = f"/visits/v1/day-plans/{plan_id}"
    seen = (await system.client.get(path, headers=system.bearer(Role.SUPERVISOR))).headers["etag"]
    headers = system.bearer(Role.SUPERVISOR) | {"If-Match": seen}
    answers = await asyncio.gather(
        system.client.post(f"{path}/move", headers=headers, json={"case_id": str(cases[0])}),
        system.client.post(f"{path}/{verb}", headers=headers, json={"case_id": str(cases[1])}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


@pytest.mark.dialect
async def test_a_reason_of_an_earlier_version_is_shown_and_said_so(system):
    team, _ = await system.team()
    plan_id = await solved_plan(system, {team: [await system.case()]})
    old = {"plan_id": plan_id, "case_id": new_id(), "reason": "no-slot-left"}
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(insert(LeftOutRow), [old])
    [left] = (await system.get(f"/day-plans/{plan_id}/left-out"))["items"]
    assert left["reason"] == "no-slot-left"
    assert "earlier version" in left["en"]


@pytest.mark.dialect
async def test_routes_and_revisions_come_in_pages(system):
    teams = [(await system.team())[0] for _ in range(3)]
    cases = [await system.case() for _ in range(4)]
    plan_id = await solved_plan(system, {teams[2]: cases[:1], teams[0]: cases[1:3], teams[1]: cases[3:]})
    path = f"/day-plans/{plan_id}"
    whole = await system.get(f"{path}/routes")
    assert ([route["team_id"] for route in whole["items"]], whole["next_cursor"]) == (
        [str(teams[2]), str(teams[0]), str(teams[1])],
        None,
    )
    first = await system.get(f"{path}/routes", limit=2)
    last = await system.get(f"{path}/routes", limit=2, cursor=first["next_cursor"])
    assert (first["items"] + last["items"], last["next_cursor"]) == (whole["items"], None)
    for team, position in ((teams[1], 0), (teams[0], 0), (teams[1], 1)):
        body = {"case_id": str(cases[1]), "team_id": str(team), "position": position}
        await system.post(f"{path}/move", body)
    revisions = await system.get(f"{path}/revisions")
    first = await system.get(f"{path}/revisions", limit=2)
    last = await system.get(f"{path}/revisions", limit=2, cursor=first["next_cursor"])
    assert [each["revision"] for each in revisions["items"]] == [1, 2, 3, 4]
    assert (first["items"] + last["items"], last["next_cursor"]) == (revisions["items"], None)
