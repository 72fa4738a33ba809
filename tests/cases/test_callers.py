"""The phone desk: what a caller does and reads, and where it ends."""

import pytest

from shared.auth import Actor, Role
from tests.actors.samples import DIGEST
from tests.one_service import LENDER

CALL = {"channel": "CALL", "result": "RPC_OTHER", "at": "2026-03-02T11:00:00+08:00"}
CONSENT = {
    "scope": "HOURS",
    "channel": "RECORDED_CALL",
    "given_at": "2026-03-02T11:00:00+08:00",
    "proof_digest": DIGEST,
}


@pytest.mark.parametrize(
    ("roles", "by_phone_only"),
    [
        ({Role.CALLER}, True),
        ({Role.CALLER, Role.ADMIN}, True),
        ({Role.CALLER, Role.COLLECTOR}, False),
        ({Role.CALLER, Role.SUPERVISOR}, False),
        ({Role.CALLER, Role.COMPLIANCE}, False),
        ({Role.SUPERVISOR}, False),
        (set(), False),
    ],
)
def test_a_caller_with_a_role_of_the_desk_or_the_field_is_not_narrowed(roles, by_phone_only):
    assert Actor("s-1", frozenset(roles)).by_phone_only is by_phone_only


async def test_a_caller_asks_before_a_call_and_records_calls_and_text_messages_only(system):
    [case] = await system.place("A-1")
    check = {"contacts": [{"case_id": case, "channel": "CALL"}]}
    assert (await system.post("/contact-checks", check, role=Role.CALLER))["items"][0]["verdict"] == "pass"
    tried = [CALL | {"case_id": case, "channel": each} for each in ("CALL", "SMS", "LETTER", "EMAIL")]
    tried = [each | {"result": "DELIVERED"} if each["channel"] != "CALL" else each for each in tried]
    answer = await system.post("/contact-attempts", {"attempts": tried}, role=Role.CALLER)
    assert (answer["recorded"], [each["index"] for each in answer["refused"]]) == (2, [2, 3])
    assert {each["code"] for each in answer["refused"]} == {"not-by-phone"}
    assert (await system.post("/contact-attempts", {"attempts": tried}))["recorded"] == 4
    kept = (await system.get("/contact-attempts", role=Role.CALLER))["items"]
    assert {each["recorded_by"].partition(":")[0] for each in kept} == {"caller", "supervisor"}


async def test_a_caller_reads_a_dossier_for_a_call_also_on_hold_and_the_reading_is_recorded(system):
    [case] = await system.place("A-1")
    hold = {"reason": "DECEASED", "review_on": "2026-04-01"}
    placed = await system.post(f"/cases/{case}/holds", hold, 201, Role.CALLER)
    for reason in ({}, {"reason": "REVIEW"}, {"reason": "VISIT"}):
        refused = await system.get(f"/cases/{case}/dossier", 403, Role.CALLER, **reason)
        assert refused["title"] == "not-by-phone"
    assert "dossier-read" not in await system.types()
    assert (await system.get(f"/cases/{case}/dossier", role=Role.CALLER, reason="CALL"))["name"] == "王小明"
    assert (await system.types())[-1] == "dossier-read"
    await system.post(f"/holds/{placed['id']}/release", {"reason": "He is alive."}, 403, Role.CALLER)
    assert len((await system.get(f"/cases/{case}/holds", role=Role.CALLER))["items"]) == 1


async def test_a_caller_records_what_the_debtor_says_by_phone(system):
    [case] = await system.place("A-1")
    given = await system.post(f"/cases/{case}/consents", CONSENT, 201, Role.CALLER)
    await system.post(f"/consents/{given['id']}/withdraw", {}, role=Role.CALLER)
    written = CONSENT | {"channel": "IN_WRITING"}
    assert (await system.post(f"/cases/{case}/consents", written, 403, Role.CALLER))["title"] == "not-by-phone"
    complaint = {"kind": "CONDUCT", "channel": "CALL"}
    filed = await system.post(f"/cases/{case}/complaints", complaint, 201, Role.CALLER)
    assert filed["filed_by"].startswith("caller:")
    letter = complaint | {"channel": "LETTER"}
    assert (await system.post(f"/cases/{case}/complaints", letter, 403, Role.CALLER))["title"] == "not-by-phone"
    found = {"lender_id": LENDER, "reference": "A-1"}
    assert (await system.post("/debtor-searches", found, role=Role.CALLER))["items"][0]["case_id"] == case
    period = {"reason": "BEREAVEMENT", "first_day": "2026-03-01", "proof_digest": DIGEST}
    await system.post(f"/cases/{case}/quiet-periods", period, 403, Role.CALLER)
