"""What is not on a plan, and stays off: each case that is left out is listed with its reason."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.visits.caseload import usecases as caseload
from shared.events import followup
from shared.events.cases import CaseClosed, CaseReferred, CaseReopened, ConsentRecorded
from shared.ids import new_id
from tests.visits.conftest import MONDAY, taipei
from tests.visits.plans.planning import left_out, plan_here, planned, visits_of


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    plan_here(monkeypatch)


async def test_a_visit_cancelled_by_hand_stays_off_when_the_day_is_planned_anew_until_it_is_urgent(system):
    await system.team()
    cases = [await system.case() for _ in range(3)]
    plan = await planned(system)
    visits = await visits_of(system, plan)
    await system.post(f"/visits/{visits[cases[0]]['id']}/cancel", {"reason": "COLLECTOR_UNAVAILABLE"})
    for _ in range(2):  # also when that plan is replanned in its turn
        plan = await planned(system, f"/day-plans/{plan['id']}/replan")
        assert set(await visits_of(system, plan)) == set(cases[1:])
        assert await left_out(system, plan) == {cases[0]: "taken-off-by-hand"}
    plan = await planned(system, f"/day-plans/{plan['id']}/replan", urgent_case_ids=[str(cases[0])])
    assert set(await visits_of(system, plan)) == set(cases)
    assert await left_out(system, plan) == {}
    plan = await planned(system, f"/day-plans/{plan['id']}/replan")  # urgent once, it is a visit like the others
    assert set(await visits_of(system, plan)) == set(cases)


async def test_a_visit_of_a_case_that_was_closed_was_not_cancelled_by_hand(system):
    await system.team()
    closed, other = [await system.case() for _ in range(2)]
    plan = await planned(system)
    await system.hear(CaseClosed(case_id=closed, reason="PAID"))
    plan = await planned(system, f"/day-plans/{plan['id']}/replan")
    assert set(await visits_of(system, plan)) == {other}
    assert await left_out(system, plan) == {}
    await system.hear(CaseClosed(case_id=other, reason="PAID"))
    again = CaseReferred(case_id=other, referral_id=new_id(), rule_id="large", inputs={})
    await system.hear(CaseReopened(case_id=other, reason="PAID"), again)
    plan = await planned(system, f"/day-plans/{plan['id']}/replan")
    assert set(await visits_of(system, plan)) == {other}


async def test_a_visit_moved_off_a_solved_plan_stays_off_too(system):
    await system.team()
    cases = [await system.case() for _ in range(3)]
    plan = await planned(system, publish=False)
    await system.post(f"/day-plans/{plan['id']}/move", {"case_id": str(cases[1])})
    plan = await system.post(f"/day-plans/{plan['id']}/publish")
    urgent = await system.case()
    plan = await planned(system, f"/day-plans/{plan['id']}/replan", urgent_case_ids=[str(urgent)])
    assert set(await visits_of(system, plan)) == {cases[0], cases[2], urgent}
    assert await left_out(system, plan) == {cases[1]: "taken-off-by-hand"}
    assert [each["count"] for each in plan["left_out"]] == [1]
    tomorrow = await planned(system, day=str(MONDAY + timedelta(days=1)))
    assert set(await visits_of(system, tomorrow)) == {cases[1]}  # of another day's plan it is not off


async def test_a_visit_that_a_suspension_cancelled_is_planned_again_at_the_time_that_was_said(system):
    (first, ids), (second, _) = await system.team(), await system.team()
    agreed, other = [await system.case() for _ in range(2)]
    await system.hear(*appointment(agreed))
    plan = await planned(system, team_ids=[str(first)])
    said = (await visits_of(system, plan))[agreed]["window_start"]
    plan_of_both = await planned(system, f"/day-plans/{plan['id']}/replan")
    assert (await visits_of(system, plan_of_both))[agreed]["window_start"] == said
    became = await system.post(f"/collectors/{ids[0]}/suspend", {"reason": "x"})
    assert {UUID(each["case_id"]) for each in became["wanted_again"]} == {agreed, other}
    refused = await system.post(f"/day-plans/{plan_of_both['id']}/replan", {"iterations": 1}, 422)
    assert refused["title"] == "no-teams"
    again = await planned(system, team_ids=[str(second)])
    assert set(await visits_of(system, again)) == {agreed, other}


@pytest.mark.parametrize("hour", [10, 15])
async def test_a_promise_is_kept_by_another_team_of_the_plan_or_named(system, hour):
    (first, ids), (second, others) = await system.team(), await system.team()
    agreed = await system.case()
    await system.hear(*appointment(agreed))
    plan = await planned(system, team_ids=[str(first), str(second)], shift={"start": "13:00", "end": "18:00"})
    visit = (await visits_of(system, plan))[agreed]
    mine, theirs = (ids, str(second)) if visit["team_id"] == str(first) else (others, str(first))
    await system.post(f"/collectors/{mine[0]}/suspend", {"reason": "x"})
    await system.at(taipei(MONDAY, hour))
    again = await planned(system, f"/day-plans/{plan['id']}/replan")
    if hour == 15:
        assert await left_out(system, again) == {agreed: "promised-time-not-possible"}
        return
    moved = (await visits_of(system, again))[agreed]
    assert moved["team_id"] == theirs
    times = [datetime.fromisoformat(each["window_start"]) for each in (visit, moved)]
    assert abs(times[0] - times[1]) <= timedelta(minutes=15)


def appointment(case_id: UUID) -> tuple[ConsentRecorded, followup.RevisitRequested]:
    """The debtor agreed to be visited, and a visit is asked for."""
    agreed = ConsentRecorded(
        case_id=case_id,
        consent_id=new_id(),
        scope="DEBTOR_REQUEST",
        channel="IN_WRITING",
        given_at=taipei(MONDAY, 8),
        proof_digest="0" * 64,
    )
    wish = followup.RevisitRequested(
        case_id=case_id, request_id=new_id(), not_before=MONDAY, purpose="AGREED_REVISIT", reason="PROMISE_BROKEN"
    )
    return agreed, wish


async def test_open_visits_of_other_plans_are_listed_although_not_named(system):
    (first, ids), (second, _) = await system.team(), await system.team()
    mine, sent = [await system.case() for _ in range(2)]
    plan = await planned(system, team_ids=[str(first)])
    visits = await visits_of(system, plan)
    await system.post(f"/visits/{visits[sent]['id']}/dispatch")
    new, later = [await system.case() for _ in range(2)]
    async with system.runtime.database.transaction() as tx:
        row = (await caseload.lock_all(tx, [later]))[later]
        row.not_before = MONDAY + timedelta(days=9)
    other = await planned(system, team_ids=[str(second)])
    assert set(await visits_of(system, other)) == {new}
    assert await left_out(system, other) == {mine: "on-another-plan", sent: "visit-under-way"}
    named = await planned(system, team_ids=[str(second)], publish=False, case_ids=[str(mine), str(later)])
    assert await left_out(system, named) == {mine: "on-another-plan", later: "wanted-from-a-later-day"}
    assert len(ids) == 2
