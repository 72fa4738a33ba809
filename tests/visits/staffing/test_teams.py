"""The members of a team change from a day on, and its planned visits with them."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from services.visits.people.tables import TeamMembersRow
from shared.auth import Role
from shared.ids import new_id
from tests.visits.conftest import MONDAY
from tests.visits.plans.test_publishing import publish, solved_plan
from tests.visits.visit.field import events, send

TUESDAY, FRIDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=4)


def members(ids, from_day=TUESDAY, **more):
    return {"from_day": str(from_day), "collector_ids": list(map(str, ids)), "reason": "王大明請假", **more}


async def test_members_change_from_a_day_on_with_history(system):
    (team_id, before), after = await system.team(), await system.collectors()
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
    assert (second["made_by"], second["reason"]) == ("supervisor:a-person", "王大明請假")
    [changed] = await events(system, "team-changed")
    assert (changed["from_day"], changed["earlier_collector_ids"]) == (str(TUESDAY), list(map(str, before)))
    assert all("王" not in payload.decode() for _, _, payload in await system.published())


async def test_planned_visits_go_on_with_the_members_of_their_day(system):
    (team_id, before), after = await system.team(), await system.collectors()
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
    (team_id, before), after = await system.team(), await system.collectors()
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


def named(problem):
    """Code of a refusal, and who is on which team from which day."""
    return problem["title"], {(each["collector_id"], each["team_id"], each["day"]) for each in problem["collectors"]}


@pytest.mark.dialect
async def test_nobody_is_on_two_teams_of_one_day(system):
    (team, ids), (other, others) = await system.team(), await system.team()
    both = [str(ids[0]), str(others[0])]
    refused = await system.post("/teams", {"name": "Third", "collector_ids": both}, 409)
    expected = {(str(ids[0]), str(team), "2026-03-01")}
    code, found = named(refused)
    assert (code, expected < found) == ("collector-on-two-teams", True)
    assert "POST /visits/v1/teams/{id}/members" in refused["detail"]
    assert len((await system.get("/teams"))["items"]) == 2  # nothing was stored
    code, found = named(await system.post(f"/teams/{team}/members", members(both), 409))
    assert code == "collector-on-two-teams"
    assert found == {(str(others[0]), str(each), str(TUESDAY)) for each in (team, other)}
    assert (await system.get(f"/teams/{team}/history"))["items"][0]["collector_ids"] == list(map(str, ids))
    assert await system.types() == ["collector-status-changed"] * 4


async def test_a_team_stands_down_and_its_people_join_another_from_that_day(system):
    (team, ids), (other, others) = await system.team(), await system.team()
    visit = await system.visit(await system.case(), (other, others), day=FRIDAY)
    became = await system.post(f"/teams/{other}/members", members([], FRIDAY))
    assert [each["visit_id"] for each in became["wanted_again"]] == [str(visit)]
    both = [ids[0], others[0]]
    assert named(await system.post(f"/teams/{team}/members", members(both), 409))[0] == "collector-on-two-teams"
    await system.post(f"/teams/{team}/members", members(both, FRIDAY))
    await system.post("/teams", {"name": "Rest", "collector_ids": [str(ids[1]), str(others[1])]}, 409)  # before Friday
    assert (
        named(await system.post(f"/teams/{other}/members", members(both, FRIDAY), 409))[0] == "collector-on-two-teams"
    )
    refused = await system.post("/day-plans", {"day": str(FRIDAY), "team_ids": [str(other)]}, 409)
    assert (refused["title"], refused["detail"].partition(" ")[0]) == ("team-not-complete", "A")


async def test_a_person_whom_an_earlier_release_put_on_two_teams_is_on_no_plan_until_mended(system):
    (team, ids), (other, _) = await system.team(), await system.team()
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(
            update(TeamMembersRow).where(col(TeamMembersRow.team_id) == other).values(collector_ids=list(map(str, ids)))
        )
    wish = {"day": str(MONDAY), "iterations": 5}
    code, found = named(await system.post("/day-plans", wish, 409))
    assert code == "collector-on-two-teams"
    assert found == {(str(who), str(each), str(MONDAY)) for who in ids for each in (team, other)}
    await system.case()
    await system.post("/day-plans", wish | {"team_ids": [str(team)]}, 202)
    await system.post(f"/teams/{other}/members", members([], MONDAY))
    await system.post("/day-plans", wish, 202)


@pytest.mark.dialect
async def test_of_two_teams_formed_at_once_with_one_person_one_is_refused(system):
    ids = await system.collectors(3)
    wishes = [{"name": "One", "collector_ids": [str(ids[0]), str(each)]} for each in ids[1:]]
    path, headers = "/visits/v1/teams", system.bearer()
    answers = await asyncio.gather(*(system.client.post(path, json=each, headers=headers) for each in wishes))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
