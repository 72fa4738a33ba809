"""A whole route is sent in one action: each visit's outcome is answered, what is refused stays planned."""

import asyncio

import pytest

from shared.auth import Role
from shared.events import cases as case_events
from shared.ids import new_id
from tests.visits.conftest import MONDAY
from tests.visits.plans.planning import plan_here, planned
from tests.visits.plans.test_publishing import solved_plan
from tests.visits.visit.field import events


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    plan_here(monkeypatch)


async def route(system, count=3):
    team, ids = await system.team()
    cases = [await system.case() for _ in range(count)]
    plan_id = await solved_plan(system, {team: cases})
    await system.post(f"/day-plans/{plan_id}/publish")
    return f"/day-plans/{plan_id}/teams/{team}/dispatch", [str(each) for each in cases], ids


def outcomes(answer):
    return {item["case_id"]: item["outcome"] for item in answer["items"]}


async def test_each_visit_has_its_outcome_and_what_is_refused_may_go_later(system):
    path, cases, _ = await route(system, 4)
    complaint = case_events.CaseHeld(
        case_id=cases[1], hold_id=new_id(), reason="COMPLAINT_PENDING", scope="all", review_on=MONDAY
    )
    await system.hear(complaint)
    visits = {each["case_id"]: each["id"] for each in (await system.get("/visits"))["items"]}
    await system.post(f"/visits/{visits[cases[2]]}/cancel", {"reason": "CANCELLED_PAID"})
    answer = await system.post(path)
    assert [item["case_id"] for item in answer["items"]] == cases
    assert (answer["dispatched"], answer["refused"]) == (2, 1)
    assert outcomes(answer) == dict(zip(cases, ("DISPATCHED", "REFUSED", "OVER", "DISPATCHED"), strict=True))
    refused = answer["items"][1]
    assert (refused["status"], refused["problem"]["code"]) == ("PLANNED", "rule-blocked")
    assert refused["problem"]["rules"][0]["rule_id"] == "house-hold"
    stored = await system.get(f"/decisions/{refused['problem']['decision_id']}")
    assert (stored["verdict"], stored["visit_id"]) == ("block", visits[cases[1]])
    await system.hear(case_events.CaseReleased(case_id=cases[1], hold_id=complaint.hold_id, reason="COMPLAINT_PENDING"))
    again = await system.post(path)
    assert outcomes(again) == dict(
        zip(cases, ("ALREADY_DISPATCHED", "DISPATCHED", "OVER", "ALREADY_DISPATCHED"), strict=True)
    )
    assert len(await events(system, "visit-dispatched")) == 3


@pytest.mark.dialect
async def test_a_route_sent_by_two_at_once_is_sent_once(system):
    path, cases, _ = await route(system)
    headers = system.bearer(Role.SUPERVISOR)
    answers = await asyncio.gather(*(system.client.post(f"/visits/v1{path}", headers=headers) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert sorted(answer.json()["dispatched"] for answer in answers) == [0, 0, 0, 3]
    assert len(await events(system, "visit-dispatched")) == len(cases)
    keyed = headers | {"Idempotency-Key": "press-1"}
    first, second = [await system.client.post(f"/visits/v1{path}", headers=keyed) for _ in range(2)]
    assert (first.text, second.headers["idempotent-replayed"]) == (second.text, "true")


async def test_of_a_person_with_two_cases_on_the_route_one_visit_goes(system):
    """It is known only after the publication that both cases are one person's."""
    path, cases, _ = await route(system, 2)
    for case_id in cases:
        await system.hear(case_events.DebtorRecognised(case_id=case_id, person_ref="5a" * 16), lender_id=None)
    answer = await system.post(path)
    assert sorted(outcomes(answer).values()) == ["DISPATCHED", "REFUSED"]
    [refused] = [item for item in answer["items"] if item["outcome"] == "REFUSED"]
    assert "house-visit-cap" in {rule["rule_id"] for rule in refused["problem"]["rules"]}


async def test_who_may_not_and_what_is_not_there(system):
    path, _, ids = await route(system)
    for role, status in ((Role.COLLECTOR, 403), (Role.COMPLIANCE, 403), (Role.LENDER, 404)):
        await system.post(path, None, status, role=role)
    plan = path.split("/")[2]
    assert (await system.post(f"/day-plans/{plan}/teams/{new_id()}/dispatch", None, 404))["title"] == "route-not-found"
    await system.post(f"/day-plans/{new_id()}/teams/{new_id()}/dispatch", None, 404)
    solved = await planned(system, publish=False)
    refused = await system.post(path.replace(plan, solved["id"]), None, 409)
    assert refused["title"] == "plan-solved"
    stale = system.bearer() | {"If-Match": '"999"'}
    assert (await system.client.post(f"/visits/v1{path}", headers=stale)).status_code == 412
    await system.post(f"/collectors/{ids[0]}/suspend", {"reason": "x"})
    assert set(outcomes(await system.post(path)).values()) == {"OVER"}
