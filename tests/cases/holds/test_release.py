"""How a hold ends: by one person, by two, or by a complaint's answer."""

import pytest
from sqlalchemy import update

from services.cases.holds.domain import SECOND_PERSON
from services.cases.holds.tables import HoldRow
from shared.auth import Role
from shared.law import HoldReason, load_packs
from tests.actors.samples import DIGEST

REVIEW = {"review_on": "2026-04-01"}
WHY = {"reason": "  The review of 王小明 is done. "}
ANSWER = {"outcome": "NOT_UPHELD", "answer_digest": DIGEST}


async def held(system, case, reason):
    return await system.post(f"/cases/{case}/holds", REVIEW | {"reason": reason}, 201)


async def holds_of(system, case):
    return (await system.get(f"/cases/{case}/holds"))["items"]


def test_each_reason_that_a_law_names_needs_a_second_person():
    named = {
        HoldReason(reason)
        for pack in load_packs().values()
        for rule in pack.rules
        for reason in getattr(rule.parameters, "reasons", ())
        if reason in set(HoldReason)
    }
    assert named
    assert named <= SECOND_PERSON


async def test_one_person_releases_what_is_not_in_the_catalogue(system):
    [case] = await system.place("A-1")
    for reason in HoldReason:
        hold = await held(system, case, reason)
        released = await system.post(f"/holds/{hold['id']}/release", WHY, 409 if reason in SECOND_PERSON else 200)
        after = (await holds_of(system, case))[-1]
        if reason in SECOND_PERSON:
            assert (released["title"], after["released_at"]) == ("second-person", None)
        else:
            assert after == released
            assert after["release_reason"] == "The review of 王小明 is done."
    assert (await system.get(f"/cases/{case}"))["holds"] == len(SECOND_PERSON)
    assert "王小明" not in str(await system.published())


async def test_a_release_says_why(system):
    [case] = await system.place("A-1")
    hold = await held(system, case, "HARDSHIP_REVIEW")
    for body in (None, {}, {"reason": ""}, {"reason": " \n"}, {"reason": "x" * 1001}, {"reason": "x", "why": "y"}):
        await system.post(f"/holds/{hold['id']}/release", body, 422)
    await system.post(f"/holds/{hold['id']}/release", WHY)
    assert (await system.post(f"/holds/{hold['id']}/release", WHY, 409))["title"] == "hold-released"


@pytest.mark.dialect
async def test_a_complaints_hold_ends_with_its_answer_only(system):
    [case] = await system.place("A-1")
    complaint = await system.post(f"/cases/{case}/complaints", {"kind": "CONDUCT", "channel": "CALL"}, 201)
    for subject in ("s-1", "s-2"):
        refused = await system.post(f"/holds/{complaint['hold_id']}/release", WHY, 409, subject=subject)
        assert (refused["title"], refused["complaint_id"]) == ("complaint-open", complaint["id"])
    assert (await system.get("/approvals"))["items"] == []
    [hold] = await holds_of(system, case)
    assert (hold["complaint_id"], hold["released_at"]) == (complaint["id"], None)
    await system.post(f"/complaints/{complaint['id']}/resolve", ANSWER, role=Role.COMPLIANCE)
    [hold] = await holds_of(system, case)
    assert hold["released_at"] is not None
    assert (await system.post(f"/holds/{hold['id']}/release", WHY, 409))["title"] == "hold-released"


async def test_a_complaint_of_data_whose_hold_a_person_had_ended_is_still_answered(system):
    [case] = await system.place("A-1")
    complaint = await system.post(f"/cases/{case}/complaints", {"kind": "CONDUCT", "channel": "CALL"}, 201)
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(HoldRow).values(released_at=tx.now, released_by="supervisor:s-1"))
    await system.post(f"/complaints/{complaint['id']}/resolve", ANSWER, role=Role.COMPLIANCE)
    assert "case-released" not in await system.types()


async def test_the_reason_of_the_request_is_the_reason_of_the_release(system):
    [case] = await system.place("A-1")
    hold = await held(system, case, "DECEASED")
    asked = await system.post(f"/holds/{hold['id']}/release", WHY, 409, subject="s-1")
    await system.post(f"/approvals/{asked['approval_id']}/approve", {}, role=Role.COMPLIANCE, subject="o-1")
    [after] = await holds_of(system, case)
    assert (after["released_by"], after["release_reason"]) == ("compliance:o-1", WHY["reason"].strip())
    assert (await system.types())[-3:] == ["approval-asked", "approval-granted", "case-released"]


async def test_the_same_key_sent_again_asks_once(system):
    [case] = await system.place("A-1")
    hold = await held(system, case, "DECEASED")
    headers = system.bearer() | {"Idempotency-Key": "k-1"}
    path = f"/cases/v1/holds/{hold['id']}/release"
    answers = [await system.client.post(path, json=WHY, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await system.get("/approvals", status="OPEN", case_id=case))["items"]) == 1
