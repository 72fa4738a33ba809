"""Collectors are suspended, reinstated and leave; what that does to their visits, at once; on both databases where two
at once matter."""

import asyncio
from datetime import timedelta

import pytest

from services.visits.fieldday.missed import miss_due_visits
from shared.auth import Role
from shared.ids import new_id
from tests.visits.conftest import MONDAY, taipei
from tests.visits.visit.field import arrive, check_in, events, send

WHY = {"reason": "王大明：客訴調查中 😶"}
TUESDAY = MONDAY + timedelta(days=1)


async def act(system, collector, verb, expect=200, body=None, **who):
    return await system.post(f"/collectors/{collector}/{verb}", body or WHY, expect, **who)


async def test_a_suspended_collector_is_stopped_at_every_step_and_the_visits_are_wanted_again(system):
    team = await system.team()
    planned, sent = [await system.visit(await system.case(), team) for _ in range(2)]
    await system.post(f"/visits/{sent}/dispatch")
    became = await act(system, team[1][0], "suspend")
    assert (became["collector"]["status"], became["collector"]["off_duty"]) == ("SUSPENDED", True)
    [free], [under_way] = became["wanted_again"], became["under_way"]
    assert (free["visit_id"], free["status"]) == (str(planned), "CANCELLED")
    assert (under_way["visit_id"], under_way["status"]) == (str(sent), "DISPATCHED")
    cancelled = await system.get(f"/visits/{planned}")
    assert (cancelled["status"], cancelled["disposition"]) == ("CANCELLED", "COLLECTOR_UNAVAILABLE")
    listed = await system.get("/visits", collector_id=str(team[1][0]), status="DISPATCHED")
    assert [each["id"] for each in listed["items"]] == [str(sent)]

    departing = await send(system, sent, "depart", by=team[1][1])
    arriving = await send(system, sent, "check-in", check_in(team[1][0], taipei(MONDAY, 10)), by=team[1][0])
    for refused in (departing, arriving):
        problem = refused.json()
        assert (refused.status_code, problem["title"]) == (409, "collector-suspended")
        assert "Reinstate the collector" in problem["detail"]
        assert problem["collectors"] == [{"collector_id": str(team[1][0]), "status": "SUSPENDED"}]
    decision = await system.get(f"/decisions/{arriving.json()['decision_id']}")
    assert (decision["step"], decision["verdict"]) == ("CHECK_IN", "block")
    alone = await send(system, sent, "check-in", check_in(team[1][1], taipei(MONDAY, 10)), by=team[1][1])
    assert alone.status_code == 200
    assert "visit.collector_ids" in [each["where"] for each in alone.json()["warnings"]]

    await act(system, team[1][0], "reinstate")
    answer = await send(system, sent, "check-in", check_in(team[1][0], taipei(MONDAY, 10)), by=team[1][0])
    assert answer.json()["status"] == "CHECKED_IN"


async def test_a_suspended_collector_does_not_set_out_where_two_others_do(system):
    team = await system.team(3)
    visit = await system.visit(await system.case(), team)
    await system.post(f"/visits/{visit}/dispatch")
    await act(system, team[1][2], "suspend")
    refused = await send(system, visit, "depart", by=team[1][2])
    assert (refused.status_code, refused.json()["title"]) == (409, "collector-suspended")
    assert (await send(system, visit, "depart", by=team[1][0])).json()["status"] == "EN_ROUTE"


async def test_a_dispatch_of_a_collector_who_is_off_duty_says_so_and_is_kept(system):
    """Planned before the suspension and, by a plan that was under way, again after it."""
    team = await system.team()
    await act(system, team[1][1], "suspend")
    visit = await system.visit(await system.case(), team)
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert refused["title"] == "collector-suspended"
    assert "house-cert" in {rule["rule_id"] for rule in refused["rules"]}
    assert "Reinstate the collector" in refused["detail"]
    assert (await system.types())[-1] == "visit-blocked"
    [free] = (await act(system, team[1][1], "leave"))["wanted_again"]
    assert free["visit_id"] == str(visit)
    late = await system.visit(await system.case(), team)
    left = await system.post(f"/visits/{late}/dispatch", expect=409)
    assert (left["title"], left["collectors"][0]["status"]) == ("collector-left", "LEFT")


async def test_an_act_before_the_suspension_is_still_reported(system):
    """Rules judge the time of the act: a phone without network sends its check-in later."""
    team = await system.team()
    visit = await system.visit(await system.case(), team)
    await system.post(f"/visits/{visit}/dispatch")
    await system.at(taipei(MONDAY, 12))
    await act(system, team[1][0], "suspend")
    await system.at(taipei(MONDAY, 13))
    assert (await arrive(system, visit, team, taipei(MONDAY, 11))).json()["status"] == "CHECKED_IN"
    record = {"ended_at": taipei(MONDAY, 11, 20).isoformat(), "disposition": "NO_ANSWER", "person_met": "NONE"}
    done = await send(system, visit, "complete", record, by=team[1][0])
    assert (done.status_code, done.json()["status"]) == (200, "COMPLETED")


async def test_a_team_of_three_goes_on_with_two(system):
    team_id, ids = await system.team(3)
    visit = await system.visit(await system.case(), (team_id, ids))
    sent = await system.visit(await system.case(), (team_id, ids))
    await system.post(f"/visits/{sent}/dispatch")
    became = await act(system, ids[0], "suspend")
    assert (became["wanted_again"], [each["visit_id"] for each in became["restaffed"]]) == ([], [str(visit)])
    assert (await system.get(f"/visits/{visit}"))["collector_ids"] == list(map(str, ids[1:]))
    assert [event["collector_ids"] for event in await events(system, "visit-planned")] == [list(map(str, ids[1:]))]
    await system.post(f"/visits/{visit}/dispatch")
    answers = [
        await send(system, sent, "check-in", check_in(collector, taipei(MONDAY, 10)), by=collector) for collector in ids
    ]
    assert [answer.json()["status"] for answer in answers] == [409, "DISPATCHED", "CHECKED_IN"]
    assert answers[0].json()["title"] == "collector-suspended"


async def test_what_was_sent_and_could_not_go_on_is_missed_for_that_reason(system):
    team = await system.team()
    visit = await system.visit(await system.case(), team)
    await system.post(f"/visits/{visit}/dispatch")
    await act(system, team[1][0], "suspend")
    await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 10)), by=team[1][0])
    await system.at(taipei(TUESDAY, 1))
    assert await miss_due_visits(system.runtime) == 1
    missed = await system.get(f"/visits/{visit}")
    assert (missed["status"], missed["missed_reason"]) == ("MISSED", "COLLECTOR_UNAVAILABLE")


async def test_who_is_suspended_later_is_no_reason_for_a_visit_that_was_missed_before(system):
    """The worker was away at the end of the day."""
    team = await system.team()
    visit = await system.visit(await system.case(), team)
    await system.post(f"/visits/{visit}/dispatch")
    await system.at(taipei(TUESDAY, 9))
    await act(system, team[1][0], "suspend")
    assert await miss_due_visits(system.runtime) == 1
    missed = await system.get(f"/visits/{visit}")
    assert (missed["status"], missed["missed_reason"]) == ("MISSED", "NO_CHECK_IN")


async def test_the_same_again_changes_nothing_and_another_reason_is_a_conflict(system):
    _, [one, _] = await system.team()
    headers = system.bearer() | {"Idempotency-Key": "press-1"}
    path = f"/visits/v1/collectors/{one}/suspend"
    first, again = [await system.client.post(path, json=WHY, headers=headers) for _ in range(2)]
    assert (first.text, again.headers["idempotent-replayed"]) == (again.text, "true")
    await act(system, one, "suspend")
    refused = await act(system, one, "suspend", 409, {"reason": "another"})
    assert refused["title"] == "collector-suspended"
    assert (await act(system, one, "reinstate"))["collector"]["status"] == "ACTIVE"
    assert (await act(system, one, "leave"))["collector"]["status"] == "LEFT"
    assert (await act(system, one, "leave"))["collector"]["status"] == "LEFT"
    for verb in ("reinstate", "suspend", "clear"):
        assert (await act(system, one, verb, 409))["title"] == "collector-left"
    certificate = {"code": "DRA", "valid_from": "2026-01-01", "valid_until": "2027-01-01"}
    assert (await act(system, one, "certificates", 409, certificate))["title"] == "collector-left"
    assert (await act(system, one, "correct", 409, {"name": "x", **WHY}))["title"] == "collector-left"
    statuses = [event["status"] for event in await events(system, "collector-status-changed")]
    assert statuses == ["ACTIVE", "ACTIVE", "SUSPENDED", "ACTIVE", "LEFT"]
    for kind, headers, payload in await system.published():
        assert "王" not in payload.decode() + str(headers), kind


@pytest.mark.dialect
async def test_of_two_at_once_one_counts(system):
    team = await system.team()
    visits = [await system.visit(await system.case(), team) for _ in range(3)]
    path, headers = f"/visits/v1/collectors/{team[1][0]}", system.bearer()
    answers = await asyncio.gather(
        *(system.client.post(f"{path}/suspend", json={"reason": str(n)}, headers=headers) for n in range(3)),
        *(system.client.post(f"/visits/v1/visits/{visit}/dispatch", headers=headers) for visit in visits),
    )
    assert sorted(answer.status_code for answer in answers[:3]) == [200, 409, 409]
    [became] = [answer.json() for answer in answers[:3] if answer.status_code == 200]
    sent = {str(visit) for visit, answer in zip(visits, answers[3:], strict=True) if answer.status_code == 200}
    assert {each["visit_id"] for each in became["under_way"]} == sent
    assert {each["visit_id"] for each in became["wanted_again"]} == set(map(str, visits)) - sent


@pytest.mark.parametrize("verb", ["suspend", "reinstate", "leave", "clear", "correct"])
async def test_who_may_not_and_who_does_not_exist(system, verb):
    _, [one, _] = await system.team()
    body = WHY | ({"name": "x"} if verb == "correct" else {})
    for role, status in ((Role.COLLECTOR, 403), (Role.COMPLIANCE, 403), (Role.LENDER, 404)):
        await act(system, one, verb, status, body, role=role)
    await act(system, new_id(), verb, 404, body)
    for bad in ({}, {"reason": ""}, {"reason": "x" * 1001}, {"reason": "a\0b"}, {"reason": None}):
        await system.post(f"/collectors/{one}/{verb}", bad, 422)


async def test_names_are_read_by_those_who_may_and_history_says_who_when_why(system):
    _, [one, _] = await system.team()
    await act(system, one, "suspend")
    listed = await system.get("/collectors", status="SUSPENDED", role=Role.COMPLIANCE)
    assert [(each["id"], each["name"]) for each in listed["items"]] == [(str(one), "王大明")]
    assert (await system.get(f"/collectors/{one}"))["confidentiality_agreement"] is True
    for path in ("/collectors", f"/collectors/{one}", f"/collectors/{one}/history", "/teams"):
        await system.get(path, 403, role=Role.COLLECTOR)
        await system.get(path, 404, role=Role.LENDER)
    [change] = (await system.get(f"/collectors/{one}/history"))["items"]
    told = {name: change[name] for name in ("what", "made_by", "reason", "old", "new")}
    assert told == {
        "what": "SUSPENDED",
        "made_by": "supervisor:a-person",
        "reason": WHY["reason"],
        "old": {"status": "ACTIVE"},
        "new": {"status": "SUSPENDED"},
    }
    await system.get(f"/collectors/{new_id()}/history", 404)


async def test_facts_are_corrected_with_history(system):
    _, [one, _] = await system.team()
    path = f"/visits/v1/collectors/{one}"
    seen = (await system.client.get(path, headers=system.bearer())).headers["etag"]
    right = [{"code": "FIELD-COLLECTION", "valid_from": "2025-06-01", "valid_until": "2026-01-31"}]
    body = {
        "reason": "misread",
        "name": "王小明",
        "certificates": right,
        "bad_credit": None,
        "experience_recorded": True,
    }
    headers = system.bearer() | {"If-Match": seen}
    answers = [await system.client.post(f"{path}/correct", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]
    shown = answers[0].json()
    assert (shown["name"], shown["certificates"], shown["bad_credit"]) == ("王小明", right, None)
    await act(system, one, "correct", body=body)  # all is right already
    [change] = (await system.get(f"/collectors/{one}/history"))["items"]
    assert change["fields"] == ["bad_credit", "certificates", "name"]
    assert (change["old"]["name"], change["new"]["name"]) == ("王大明", "王小明")
    assert change["old"]["certificates"][0]["valid_until"] == "2027-06-01"
    [corrected] = await events(system, "collector-corrected")
    assert corrected == {"collector_id": str(one), "change_id": change["id"], "fields": change["fields"]}
    for bad in ({}, {"name": None}, {"certificates": None}, {"status": "ACTIVE"}, {"name": ""}):
        await act(system, one, "correct", 422, {"reason": "x", **bad})
    turned = [{"code": "DRA", "valid_from": "2026-02-01", "valid_until": "2026-01-01"}]
    problem = await act(system, one, "correct", 422, {"reason": "x", "certificates": turned})
    assert problem["title"] == "certificate-reversed"
    team_id, ids = await system.team()
    visit = await system.visit(await system.case(), (team_id, [one, ids[0]]))
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert (refused["title"], refused["rules"][0]["rule_id"]) == ("rule-blocked", "house-cert")


async def test_a_candidate_is_cleared_and_a_suspension_does_not_clear_one(system):
    candidate = (await system.post("/collectors", {"name": "新人"}, 201))["id"]
    await act(system, candidate, "suspend")
    assert (await act(system, candidate, "reinstate"))["collector"]["status"] == "CANDIDATE"
    assert (await act(system, candidate, "clear"))["collector"]["status"] == "ACTIVE"
    assert (await act(system, candidate, "clear"))["collector"]["status"] == "ACTIVE"
