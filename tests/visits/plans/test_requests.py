"""What is refused as soon as a plan is asked for, before anything is judged, and what one plan looks at."""

import pytest
from sqlalchemy import insert

from services.visits.caseload.tables import CaseloadRow
from services.visits.plans.queries import wanted_cases
from services.visits.plans.usecases import WANTED_MAX
from services.visits.routing.day import DOORS_MAX
from shared.auth import Role
from shared.ids import new_id
from tests.visits.conftest import MONDAY

TEAM, OTHER = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def wanted() -> dict[str, object]:
    """As little of a case as makes it wanted."""
    row = CaseloadRow(id=new_id(), opened=True, wanted=True, balance_minor=1, time_zone="Asia/Taipei", currency="TWD")
    return row.model_dump()


async def ask(system, **body):
    wish = {"day": str(MONDAY)} | body
    answer = await system.client.post("/visits/v1/day-plans", json=wish, headers=system.bearer(Role.SUPERVISOR))
    return answer.status_code, answer.json()


@pytest.mark.dialect
async def test_more_cases_than_one_plan_can_look_at_are_refused_with_how_to_split(system):
    await system.team()
    one = wanted()
    rows = [one | {"id": new_id()} for _ in range(WANTED_MAX + 1)]
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(insert(CaseloadRow), rows)
    status, problem = await ask(system)
    assert (status, problem["title"], problem["cases_max"]) == (413, "too-many-cases", WANTED_MAX)
    assert "`case_ids` (at most 2,000)" in problem["detail"]
    assert (await system.get("/day-plans"))["items"] == []
    part = [str(row["id"]) for row in rows[:DOORS_MAX]]
    status, plan = await ask(system, case_ids=part)
    assert (status, plan["status"]) == (202, "DRAFT")
    assert (await ask(system, case_ids=[*part, part[0]]))[0] == 422


@pytest.mark.dialect
async def test_a_plan_of_named_cases_looks_at_these_alone(system):
    await system.team()
    named, urgent, _other, held = [await system.case() for _ in range(4)]
    async with system.runtime.database.reading() as tx:
        assert len(await wanted_cases(tx, MONDAY, only=(), again=(), without=())) == 4
        found = await wanted_cases(tx, MONDAY, only=[named, urgent], again=[held], without=())
    assert {row.id for row in found} == {named, urgent, held}


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"case_ids": []}, 422),
        ({"case_ids": ["王"]}, 422),
        ({"case_ids": ["00000000-0000-0000-0000-000000000000"]}, 404),
        ({"day": "0000-00-00"}, 422),
        ({"day": "9999-12-31"}, 422),
        ({"day": "0001-01-01"}, 422),
        ({"day": "2026-02-28"}, 422),
        ({"seconds": 1e308}, 422),
        ({"seconds": -1}, 422),
        ({"seed": -1}, 422),
        ({"minutes_per_visit": 0}, 422),
        ({"visits_per_team_max": 0}, 422),
        ({"iterations": 0}, 422),
        ({"iterations": 10**400}, 422),
        ({"depot": {"latitude": "NaN", "longitude": 0}}, 422),
        ({"shift": {"start": "25:00", "end": "26:00"}}, 422),
        ({"shift": {"start": "09:00:00+08:00", "end": "18:00"}}, 422),
        ({"rest": {"earliest": "14:00", "latest": "11:00"}}, 422),
        ({"rest": {}, "shift": {"start": "09:00", "end": "12:00"}}, 422),
        ({"team_ids": [TEAM], "teams": [{"team_id": TEAM}, {"team_id": TEAM}]}, 422),
        ({"team_ids": [TEAM], "teams": [{"team_id": OTHER}]}, 422),
        ({"teams": [{"team_id": OTHER}]}, 404),
    ],
)
async def test_what_cannot_be_meant_is_refused_at_once(system, body, status):
    await system.team()
    found, problem = await ask(system, **body)
    assert found == status, problem
    assert problem["detail"] or problem["errors"]
