"""A hold marks planned visits at once, in lists, routes, map and sheet; its end removes the mark."""

import pytest

from shared.auth import Role
from shared.events import cases as case_events
from shared.events import followup
from shared.events.values import Amount, Instalment
from shared.ids import new_id
from tests.visits.conftest import MONDAY
from tests.visits.pages.test_sheet import asked_of_cases
from tests.visits.plans.planning import plan_here, planned, visits_of

__all__ = ["asked_of_cases"]


@pytest.fixture
async def published(system, asked_of_cases, monkeypatch):
    plan_here(monkeypatch)
    await system.team()
    cases = [await system.case() for _ in range(3)]
    plan = await planned(system)
    assert set(await visits_of(system, plan)) == set(cases)
    return plan, cases


def hold(case_id, reason="COMPLAINT_PENDING", scope="all", hold_id=None):
    return case_events.CaseHeld(
        case_id=case_id, hold_id=hold_id or new_id(), reason=reason, scope=scope, review_on=MONDAY
    )


async def marked(system, plan):
    """The cases that each view marks as held."""
    visits = (await system.get("/visits", plan_id=plan["id"]))["items"]
    routes = (await system.get(f"/day-plans/{plan['id']}/routes"))["items"]
    features = (await system.get(f"/day-plans/{plan['id']}/geojson"))["features"]
    stops = [stop for route in routes for stop in route["stops"]]
    short = {stop["case_id"][-8:]: stop["case_id"] for stop in stops}
    return (
        {visit["case_id"]: visit["held_by"] for visit in visits if visit["held"]},
        {stop["case_id"]: stop["held_by"] for stop in stops if stop["held"]},
        {short[each["properties"]["label"]] for each in features if each["properties"].get("held")},
    )


async def test_a_complaint_marks_visits_in_lists_routes_map_and_sheet_until_it_is_released(
    system, published, asked_of_cases
):
    plan, cases = published
    assert await marked(system, plan) == ({}, {}, set())
    first = hold(cases[1])
    await system.hear(first, hold(cases[2], scope="call"))
    held = {str(cases[1]): ["COMPLAINT_PENDING"]}
    assert await marked(system, plan) == (held, held, {str(cases[1])})
    visit = (await visits_of(system, plan))[cases[1]]
    alone = await system.get(f"/visits/{visit['id']}")
    assert (alone["held"], alone["held_by"], alone["status"]) == (True, ["COMPLAINT_PENDING"], "PLANNED")
    root = f"/visits/v1/day-plans/{plan['id']}"
    page = (await system.client.get(f"{root}/map", headers=system.bearer())).text
    assert page.count('class="held"') == 1
    path = f"{root}/teams/{visit['team_id']}/sheet"
    sheet = (await system.client.get(path, headers=system.bearer(Role.SUPERVISOR))).text
    assert sheet.count("On hold: do not go") == 1
    assert f"Debtor of {cases[1]}" not in sheet
    assert asked_of_cases == [[str(each) for each in ordered(plan_cases=cases, routes=await routes(system, plan))]]
    await system.hear(case_events.CaseReleased(case_id=cases[1], hold_id=first.hold_id, reason="COMPLAINT_PENDING"))
    assert await marked(system, plan) == ({}, {}, set())
    again = (await system.client.get(path, headers=system.bearer(Role.SUPERVISOR))).text
    assert "On hold" not in again
    assert f"Debtor of {cases[1]}" in again


async def routes(system, plan):
    return (await system.get(f"/day-plans/{plan['id']}/routes"))["items"]


def ordered(plan_cases, routes):
    held = str(plan_cases[1])
    return [stop["case_id"] for route in routes for stop in route["stops"] if stop["case_id"] != held]


async def test_a_promise_marks_a_demand_and_no_visit_that_is_over_is_marked(system, published):
    plan, cases = published
    visits = await visits_of(system, plan)
    await system.post(f"/visits/{visits[cases[0]]['id']}/cancel", {"reason": "CANCELLED_PAID"})
    amount = Amount(amount="500", currency="TWD")
    made = [
        followup.PromiseMade(
            case_id=each, promise_id=new_id(), visit_id=new_id(), total=amount,
            instalments=[Instalment(due_on=MONDAY, amount=amount)],
        )
        for each in cases[:2]
    ]  # fmt: skip
    await system.hear(*made)
    assert (await marked(system, plan))[0] == {str(cases[1]): ["PROMISE_ACTIVE"]}
    refused = await system.post(f"/visits/{visits[cases[1]]['id']}/dispatch", expect=409)
    assert refused["rules"][0]["rule_id"] == "house-hold"


async def test_a_suspended_collector_of_a_visit_that_was_sent_is_marked(system, published):
    plan, cases = published
    visit = (await visits_of(system, plan))[cases[0]]
    await system.post(f"/visits/{visit['id']}/dispatch")
    await system.post(f"/collectors/{visit['collector_ids'][0]}/suspend", {"reason": "x"})
    assert (await system.get(f"/visits/{visit['id']}"))["off_duty"] == visit["collector_ids"][:1]
    path = f"/visits/v1/day-plans/{plan['id']}/teams/{visit['team_id']}/sheet"
    answers = [
        await system.client.get(path, headers=system.bearer(Role.COLLECTOR, subject=each))
        for each in visit["collector_ids"]
    ]
    assert [answer.status_code for answer in answers] == [404, 200]
