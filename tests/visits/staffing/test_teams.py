"""The members of a team change from a day on, and its planned visits with them."""

from datetime import timedelta

import pytest

from shared.auth import Role
from shared.ids import new_id
from tests.visits.conftest import MONDAY
from tests.visits.plans.test_publishing import publish, solved_plan
from tests.visits.visit.field import events, send

TUESDAY, FRIDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=4)


def members(ids, from_day=TUESDAY, **more):
    return {"from_day": str(from_day), "collector_ids": list(map(str, ids)), "reason": "王大明請假", **more}


async def test_members_change_from_a_day_on_with_history(system):
    (team_id, before), (_, after) = await system.team(), await system.team()
    path = f"/teams/{team_id}"
    became = await system.post(f"{path}/members", members(after))
    assert became["team"]["collector_ids"] == list(map(str, after))
    assert (await system.post(f"{path}/members", members(after)))["restaffed"] == []  # the same again
    shown = await system.get(path)
    assert shown["collector_ids"] == list(map(str, before))
    assert shown["later"] == [{"from_day": str(TUESDAY), "collector_ids": list(map(str, after))}]
    assert (await system.get(path, day=str(TUESDAY)))["collector_ids"] == list(map(str, after))
    listed = await system.get("/teams", day=str(FRIDAY))
    assert [each["collector_ids"] for each in listed["items"] if each["id"] == str(team_id)] == [list(map(str, after))]
    first, second = (await system.get(f"{path}/history", role=Role.COMPLIANCE))["items"]
    assert (first["collector_ids"], first["reason"]) == (list(map(str, before)), None)
    assert (second["made_by"], second["reason"]) == ("supervisor:somebody", "王大明請假")
    [changed] = await events(system, "team-changed")
    assert (changed["from_day"], changed["earlier_collector_ids"]) == (str(TUESDAY), list(map(str, before)))
    assert all("王" not in payload.decode() for _, _, payload in await system.published())


async def test_planned_visits_go_on_with_the_members_of_their_day(system):
    (team_id, before), (_, after) = await system.team(), await system.team()
    monday, tuesday, sent = [
        await system.visit(await system.case(), (team_id, before), day=day) for day in (MONDAY, TUESDAY, TUESDAY)
    ]
    await system.post(f"/visits/{sent}/dispatch")
    became = await system.post(f"/teams/{team_id}/members", members(after))
    assert [each["visit_id"] for each in became["restaffed"]] == [str(tuesday)]
    assert [each["visit_id"] for each in became["under_way"]] == [str(sent)]
    shown = [(await system.get(f"/visits/{each}"))["collector_ids"] for each in (monday, tuesday, sent)]
    assert shown == [list(map(str, ids)) for ids in (before, after, before)]
    for collector, mine in ((before[0], {monday, sent}), (after[0], {tuesday})):
        answer = await system.client.get(
            "/visits/v1/visits", headers=system.bearer(Role.COLLECTOR, subject=str(collector))
        )
        assert {each["id"] for each in answer.json()["items"]} == set(map(str, mine))
    assert (await send(system, tuesday, "depart", by=before[0])).status_code == 404


async def test_a_plan_of_a_day_has_the_members_of_that_day(system):
    (team_id, before), (_, after) = await system.team(), await system.team()
    plan = await solved_plan(system, {team_id: [await system.case()]})
    await system.post(f"/teams/{team_id}/members", members(after, MONDAY))
    assert await publish(system, plan) == (200, "PUBLISHED")
    [visit] = (await system.get("/visits", plan_id=str(plan)))["items"]
    assert visit["collector_ids"] == list(map(str, after))
    assert before[0] not in after


async def test_a_plan_that_was_solved_before_a_suspension_does_not_send_the_collector(system):
    (team_id, ids), (other, _) = await system.team(), await system.team()
    cases = [await system.case() for _ in range(2)]
    plan = await solved_plan(system, {team_id: cases[:1], other: cases[1:]})
    await system.post(f"/collectors/{ids[0]}/suspend", {"reason": "x"})
    assert await publish(system, plan) == (200, "PUBLISHED")
    assert [each["case_id"] for each in (await system.get("/visits"))["items"]] == [str(cases[1])]
    [left] = (await system.get(f"/day-plans/{plan}/left-out"))["items"]
    assert (left["case_id"], left["reason"]) == (str(cases[0]), "team-not-complete")


async def test_a_team_that_is_not_complete_is_refused_at_the_plan(system):
    (team_id, ids), (other, _) = await system.team(), await system.team()
    await system.case()
    await system.post(f"/collectors/{ids[0]}/suspend", {"reason": "x"})
    wish = {"day": str(MONDAY), "iterations": 5}
    refused = await system.post("/day-plans", wish | {"team_ids": [str(team_id)]}, 409)
    assert (refused["title"], refused["team_ids"]) == ("team-not-complete", [str(team_id)])
    assert refused["collectors"] == [{"collector_id": str(ids[0]), "status": "SUSPENDED"}]
    await system.post("/day-plans", wish, 202)  # all teams: the others
    for _ in range(2):
        members_of = (await system.get(f"/teams/{other}"))["collector_ids"]
        await system.post(f"/collectors/{members_of[0]}/suspend", {"reason": "x"})
    assert (await system.post("/day-plans", wish, 422))["title"] == "no-teams"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"from_day": str(MONDAY - timedelta(days=3))}, 422, "day-out-of-reach"),
        ({"from_day": "2199-01-01"}, 422, "day-out-of-reach"),
        ({"collector_ids": [str(new_id()), str(new_id())]}, 404, "collector-not-found"),
        ({"collector_ids": [str(new_id())]}, 422, "malformed"),
        ({"reason": ""}, 422, "malformed"),
    ],
)
async def test_members_that_cannot_be_meant_are_refused(system, change, status, code):
    team_id, ids = await system.team()
    problem = await system.post(f"/teams/{team_id}/members", members(ids, **change), status)
    assert problem["title"] == code
    twice = await system.post(f"/teams/{team_id}/members", members([ids[0], ids[0]]), 422)
    assert twice["title"] == "collector-twice"
    await system.post(f"/teams/{new_id()}/members", members(ids), 404)
    await system.post(f"/teams/{team_id}/members", members(ids), 403, role=Role.COMPLIANCE)


async def test_no_team_takes_a_collector_who_is_off_duty(system):
    (team_id, ids), (_, others) = await system.team(), await system.team()
    await system.post(f"/collectors/{others[0]}/leave", {"reason": "x"})
    for path, body in (
        (f"/teams/{team_id}/members", members([ids[0], others[0]])),
        ("/teams", {"name": "New", "collector_ids": [str(ids[0]), str(others[0])]}),
    ):
        refused = await system.post(path, body, 409)
        assert (refused["title"], refused["collectors"][0]["collector_id"]) == ("collector-left", str(others[0]))
