"""A move by hand that the day does not allow names what forbids it: the window, the rest, the cap or the shift."""

from datetime import datetime

import pytest

from services.visits.plans.domain import PlanStatus
from services.visits.plans.plan_basis import Basis
from services.visits.plans.publishing import Solved, store_solved
from services.visits.plans.tables import DayPlanRow
from services.visits.routing.day import Day, Door, Rest, Team
from shared.ids import new_id
from tests.visits.conftest import MONDAY, taipei
from tests.visits.plans.test_publishing import ORIGIN, PRIZE, second

HOUR = 3_600


async def plan_of(system, *, windows, shift=(11, 18), visits_max=15, rest=None, seconds=1200):
    """A solved plan of one team: the first case is on its route, the second, of these windows, is not."""
    team, _ = await system.team()
    cases = [await system.case() for _ in range(2)]
    all_day = ((second(11), second(18)),)
    opened = tuple((second(opens), second(closes)) for opens, closes in windows)
    doors = (
        Door(str(cases[0]), 1, all_day, 1200, prize=900),
        Door(str(cases[1]), 2, opened, seconds, prize=900),
    )
    hours = (second(shift[0]), second(shift[1]))
    break_ = Rest(second(rest[0]), second(rest[1]), rest[2] * 60) if rest else None
    table = [[0 if a == b else 1800 for b in range(3)] for a in range(3)]
    teams = (Team(str(team), 0, 0, hours, visits_max, break_),)
    positions = ((25.0, 121.5), (25.1, 121.5), (25.2, 121.5))
    basis = Basis(ORIGIN, Day(teams, doors, table), positions, table, {door.id: PRIZE for door in doors})
    async with system.runtime.database.transaction(now=taipei(MONDAY, 9)) as tx:
        plan = DayPlanRow(
            id=new_id(), day=MONDAY, status=PlanStatus.DRAFT, request={}, asked_by="supervisor:s-1",
            asked_at=tx.now, left_out={}, version=0,
        )  # fmt: skip
        tx.session.add(plan)
        await tx.session.flush()
        routes = {str(team): [str(cases[0])]}
        await store_solved(tx, plan, Solved(basis, routes, [], [], "beeline", {}))
    return plan.id, team, cases


@pytest.mark.parametrize(
    ("day", "rule", "fields"),
    [
        ({"windows": [(11, 12)]}, "window", {"until": taipei(MONDAY, 12)}),
        ({"windows": []}, "window", {}),
        ({"windows": [(11, 18)], "visits_max": 1}, "cap", {"at_most": 1}),
        ({"windows": [(11, 18)], "shift": (11, 13)}, "shift", {"until": taipei(MONDAY, 13)}),
        ({"windows": [(11, 18)], "rest": (12, 14, 45), "seconds": 5 * HOUR}, "rest", {"until": taipei(MONDAY, 14)}),
    ],
)
async def test_a_refused_move_names_what_forbids_it(system, day, rule, fields):
    plan_id, team, cases = await plan_of(system, **day)
    body = {"case_id": str(cases[1]), "team_id": str(team), "position": 1}
    problem = await system.post(f"/day-plans/{plan_id}/move", body, 409)
    assert (problem["title"], problem["rule"]) == ("move-not-possible", rule)
    shown = {name: datetime.fromisoformat(problem[name]) if name == "until" else problem[name] for name in fields}
    assert shown == fields
    assert (problem.get("case_id") == str(cases[1])) == (rule == "window")
    assert str(cases[1]) not in problem["detail"]
    [route] = (await system.get(f"/day-plans/{plan_id}/routes"))["items"]
    assert [stop["case_id"] for stop in route["stops"]] == [str(cases[0])]


async def test_no_move_to_a_team_that_is_not_complete(system):
    plan_id, team, cases = await plan_of(system, windows=[(11, 18)])
    [member, _] = (await system.get(f"/teams/{team}"))["collector_ids"]
    await system.post(f"/collectors/{member}/suspend", {"reason": "x"})
    body = {"case_id": str(cases[1]), "team_id": str(team), "position": 1}
    problem = await system.post(f"/day-plans/{plan_id}/move", body, 409)
    assert (problem["title"], problem["team_ids"]) == ("team-not-complete", [str(team)])
