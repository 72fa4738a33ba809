"""A record that is sent again, and proofs that come later."""

from datetime import timedelta

import pytest

from services.visits.visit.tables import VisitRow
from shared.ids import new_id
from tests.visits.conftest import DIGEST, MONDAY, System, taipei
from tests.visits.visit.field import MET, NOT_MET, RECORDING, events, send, sent, started

AT = taipei(MONDAY, 10).isoformat()
RECORD = MET | {
    "ended_at": AT,
    "statement": "下週還",
    "evidence": [RECORDING],
    "conduct": ["NOTICE_POSTED", "PROPERTY_TAKEN"],
}


async def test_the_same_record_again_answers_the_visit_whatever_its_age_and_form(system: System) -> None:
    _, visit, team = await started(system)
    first = (await send(system, visit, "complete", RECORD, by=team[1][0])).json()
    count = len(await system.published())
    await system.at(taipei(MONDAY + timedelta(days=30), 10))
    same = RECORD | {
        "ended_at": "2026-03-02T02:00:00Z",
        "conduct": ["PROPERTY_TAKEN", "NOTICE_POSTED"],
        "promise": None,
        "device_now": taipei(MONDAY + timedelta(days=30), 10).isoformat(),
    }
    again = await send(system, visit, "complete", same, by=team[1][1])
    assert (again.status_code, again.json()) == (200, first)
    assert len(await system.published()) == count


async def test_another_record_is_a_conflict_that_names_the_fields(system: System) -> None:
    _, visit, team = await started(system)
    await send(system, visit, "complete", RECORD, by=team[1][0])
    for change, differs in (
        ({"statement": "不還"}, ["statement"]),
        ({"statement": None, "willingness": 2}, ["statement", "willingness"]),
        ({"ended_at": taipei(MONDAY, 10, 1).isoformat()}, ["ended_at"]),
        ({"evidence": []}, ["evidence"]),
        (NOT_MET, ["disposition", "person_met"]),
    ):
        answer = await send(system, visit, "complete", RECORD | change, by=team[1][0])
        problem = answer.json()
        assert (answer.status_code, problem["title"], problem["differs"]) == (409, "already-completed", differs)
        assert "還" not in answer.text


@pytest.mark.dialect
async def test_a_record_of_the_release_before_is_compared_field_by_field(system: System) -> None:
    _, visit, team = await started(system)
    await send(system, visit, "complete", RECORD, by=team[1][0])
    async with system.runtime.database.transaction() as tx:
        row = await tx.session.get_one(VisitRow, visit)
        row.record = {name: value for name, value in row.record.items() if name != "reported"}
        row.day_ends_at = row.dispatched_at = None
        row.check_ins = {
            ref: {
                name: value for name, value in each.items() if name not in ("at", "flags", "entered_by", "entry_reason")
            }
            for ref, each in row.check_ins.items()
        }
    assert (await send(system, visit, "complete", RECORD, by=team[1][0])).status_code == 200
    added = await send(system, visit, "supplements", {"authority_shown": True}, by=team[1][0])
    assert added.json()["record_incomplete"] is False


async def test_a_record_that_would_be_refused_today_is_compared_too(system: System) -> None:
    _, visit, team = await started(system)
    await send(system, visit, "complete", RECORD, by=team[1][0])
    async with system.runtime.database.transaction() as tx:
        row = await tx.session.get_one(VisitRow, visit)
        row.record = row.record | {"evidence": [RECORDING | {"digest": "0" * 64}]}
    answer = await send(system, visit, "complete", RECORD, by=team[1][0])
    assert (answer.status_code, answer.json()["differs"]) == (409, ["evidence"])


@pytest.mark.dialect
async def test_an_abort_again_answers_the_visit_and_another_is_a_conflict(system: System) -> None:
    _, visit, team = await sent(system)
    body = {"reason": "ROUTE_OVERRUN", "at": AT}
    first = await send(system, visit, "abort", body, by=team[1][0])
    assert (first.status_code, first.json()["ended_at"][:16]) == (200, "2026-03-02T02:00")
    assert (await send(system, visit, "abort", body, by=team[1][1])).json() == first.json()
    other = await send(system, visit, "abort", {"reason": "SAFETY_ABORT", "at": AT}, by=team[1][0])
    assert (other.status_code, other.json()["title"], other.json()["differs"]) == (409, "already-aborted", ["reason"])
    async with system.runtime.database.transaction() as tx:
        (await tx.session.get_one(VisitRow, visit)).record = {}  # as the release before left it
    assert (await send(system, visit, "abort", body)).status_code == 200
    assert (await system.types()).count("visit-aborted") == 1


@pytest.mark.dialect
async def test_what_a_record_asks_for_depends_on_who_was_met(system: System) -> None:
    _, visit, team = await started(system)
    done = (await send(system, visit, "complete", NOT_MET | {"ended_at": AT}, by=team[1][0])).json()
    assert (done["missing"], done["record_incomplete"]) == ([], False)
    _, visit, team = await started(system)
    done = (await send(system, visit, "complete", MET | {"ended_at": AT}, by=team[1][0])).json()
    assert (done["missing"], done["record_incomplete"]) == (["authority_shown"], True)


@pytest.mark.dialect
async def test_missing_proofs_are_added_later_and_leave_the_work_list(system: System) -> None:
    _, visit, team = await started(system)
    record = MET | {"ended_at": AT, "indoor": True, "credentials_shown": False}
    first = (await send(system, visit, "complete", record, by=team[1][0])).json()
    assert set(first["missing"]) == {"authority_shown", "consent:ENTRY"}
    await system.at(taipei(MONDAY + timedelta(days=3), 9))
    part = {"authority_shown": True, "evidence": [RECORDING]}
    added = (await send(system, visit, "supplements", part, by=team[1][1])).json()
    assert (added["missing"], added["record_incomplete"]) == (["consent:ENTRY"], True)
    [listed] = (await system.get("/incomplete-records"))["items"]
    assert listed["missing"] == ["consent:ENTRY"]
    whole = (await send(system, visit, "supplements", {"consents": {"ENTRY": DIGEST}}, by=team[1][0])).json()
    assert (whole["missing"], whole["record_incomplete"]) == ([], False)
    assert (await system.get("/incomplete-records"))["items"] == []
    assert whole["supplemented_at"].startswith("2026-03-05T01:00")
    assert (await system.get(f"/visits/{visit}"))["supplemented_at"] == whole["supplemented_at"]
    count = len(await system.published())
    for again in (part, {"consents": {"ENTRY": DIGEST}}):
        assert (await send(system, visit, "supplements", again, by=team[1][0])).json()["missing"] == []
    assert len(await system.published()) == count
    assert (await send(system, visit, "complete", record, by=team[1][0])).status_code == 200
    assert [(each["added"], each["missing"]) for each in await events(system, "visit-supplemented")] == [
        (["authority_shown", "evidence"], ["consent:ENTRY"]),
        (["consent:ENTRY"], []),
    ]
    assert (await system.types()).count("incident-reported") == 1
    assert (await system.post(f"/decisions/{whole['decision_id']}/replay"))["same"]
    async with system.runtime.database.reading() as tx:
        row = await tx.session.get_one(VisitRow, visit)
    late = [(line["added_by"], line["added_at"][:10]) for line in row.record["supplements"]]
    assert late == [(f"collector:{team[1][1]}", "2026-03-05"), (f"collector:{team[1][0]}", "2026-03-05")]
    assert (row.record["authority_shown"], row.record["credentials_shown"]) == (None, False)


async def test_a_supplement_does_not_report_the_broken_rule_of_the_record_again(system: System) -> None:
    _, visit, team = await started(system)
    await send(system, visit, "complete", MET | {"ended_at": AT, "conduct": ["PROPERTY_TAKEN"]}, by=team[1][0])
    await send(system, visit, "supplements", {"authority_shown": True}, by=team[1][0])
    assert (await system.types()).count("visit-supplemented") == 1
    kinds = [each["kind"] for each in await events(system, "incident-reported")]
    assert sorted(kinds) == ["RECORD_INCOMPLETE", "RULE_BROKEN"]


async def test_a_supplement_changes_nothing_that_is_recorded(system: System) -> None:
    _, visit, team = await started(system)
    early = await send(system, visit, "supplements", {"authority_shown": True}, by=team[1][0])
    assert early.json()["title"] == "not-completed"
    await send(system, visit, "complete", MET | {"ended_at": AT, "credentials_shown": False}, by=team[1][0])
    for body, status, code in (
        ({}, 422, "nothing-added"),
        ({"evidence": [], "willing_now": None}, 422, "nothing-added"),
        ({"credentials_shown": True}, 409, "already-recorded"),
        ({"consents": {"ENTRY": "he said yes"}}, 422, "malformed"),
        ({"left_at": "2026-03-04T10:00:00+08:00"}, 422, "time-in-future"),
    ):
        answer = await send(system, visit, "supplements", body, by=team[1][0])
        assert (answer.status_code, answer.json()["title"]) == (status, code)
    assert (await send(system, visit, "supplements", {"authority_shown": True}, by=new_id())).status_code == 404
