"""Days and times that nobody can mean are refused at the door, on both databases: no later call breaks on them."""

import json

import pytest
from sqlalchemy import select

from services.cases.lenders.tables import FeedProfileRow
from services.cases.placements.jobs import PLACEMENTS
from shared.auth import Role
from tests.actors.samples import DIGEST, PROFILE, file_of, row
from tests.jobs import work_off
from tests.one_service import LENDER

NOON = "2026-03-02T12:00:00+08:00"
CONSENT = {"scope": "HOURS", "channel": "IN_WRITING", "given_at": NOON, "proof_digest": DIGEST}
ATTEMPT = {"channel": "CALL", "result": "NO_ANSWER"}
NOTICE = {"kind": "VALIDATION", "channel": "LETTER", "proof_digest": DIGEST}
QUIET = {"reason": "BEREAVEMENT", "proof_digest": DIGEST}
MISTYPED = "1999-12-31T23:59:59+08:00"
EVER, NEVER = "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/cases/{case}/quiet-periods", QUIET | {"first_day": "9999-12-31"}),
        ("/cases/{case}/quiet-periods", QUIET | {"first_day": "2026-03-02", "last_day": "9999-12-31"}),
        ("/cases/{case}/consents", CONSENT | {"valid_until": EVER}),
        ("/cases/{case}/consents", CONSENT | {"given_at": NEVER}),
        ("/cases/{case}/complaints", {"kind": "HOURS", "channel": "CALL", "filed_at": NEVER}),
        ("/cases/{case}/complaints", {"kind": "HOURS", "channel": "CALL", "filed_at": "2026-03-03T12:00:00+08:00"}),
        ("/cases/{case}/holds", {"reason": "HARDSHIP_REVIEW", "review_on": "9999-12-31"}),
        ("/contact-checks", {"contacts": [{"at": EVER}]}),
        ("/contact-checks", {"contacts": [{"at": NEVER}]}),
        ("/contact-attempts", {"attempts": [ATTEMPT | {"at": NEVER}]}),
        ("/notices", {"notices": [NOTICE | {"sent_at": EVER}]}),
        ("/notices", {"notices": [NOTICE | {"sent_at": MISTYPED}]}),
        ("/notices", {"notices": [NOTICE | {"sent_at": NOON, "proof_digest": "0" * 64}]}),
        ("/cases/{case}/quiet-periods", QUIET | {"first_day": "1926-03-02"}),
        ("/cases/{case}/consents", CONSENT | {"given_at": MISTYPED}),
        ("/cases/{case}/consents", CONSENT | {"proof_digest": "0" * 64}),
        ("/cases/{case}/consents", CONSENT | {"proof_digest": ""}),
        ("/cases/{case}/holds", {"reason": "HARDSHIP_REVIEW", "review_on": "1926-03-20"}),
        ("/contact-attempts", {"attempts": [ATTEMPT | {"at": MISTYPED}]}),
        ("/notices", {"notices": [NOTICE | {"sent_at": NEVER}]}),
    ],
)
async def test_a_time_that_nobody_can_mean_is_refused_and_harms_nothing(system, path, body):
    [case] = await system.place("A-1")
    body = {key: [each | {"case_id": case} for each in told] if isinstance(told, list) else told
            for key, told in body.items()}  # fmt: skip
    problem = await system.post(path.format(case=case), body, 422)
    assert problem["status"] == 422
    [item] = (await system.post("/contact-checks", {"contacts": [{"case_id": case}]}))["items"]
    assert item["verdict"] == "pass"


async def test_what_is_told_as_done_is_not_in_the_future(system):
    [case] = await system.place("A-1")
    later = "2026-03-02T13:00:00+08:00"
    for path, body in (
        ("/notices", {"notices": [NOTICE | {"case_id": case, "sent_at": later}]}),
        ("/contact-attempts", {"attempts": [ATTEMPT | {"case_id": case, "at": later}]}),
    ):
        recorded = await system.post(path, body)
        assert [each["code"] for each in recorded["refused"]] == ["in-the-future"]


@pytest.mark.parametrize("sent_at", [EVER, NEVER, MISTYPED, "2026-03-02T12:06:00+08:00"])
async def test_a_profile_proves_no_notice_that_was_not_sent_yet(system, sent_at):
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
    path = f"/cases/v1/lenders/{LENDER}/profile"
    bad = PROFILE | {"notice": PROFILE["notice"] | {"sent_at": sent_at}}
    answer = await system.client.put(path, json=bad, headers=system.bearer(Role.ADMIN))
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "notice.sent_at")


async def test_a_profile_proves_no_notice_by_the_digest_of_nothing(system):
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
    bad = PROFILE | {"notice": PROFILE["notice"] | {"proof_digest": "0" * 64}}
    path = f"/cases/v1/lenders/{LENDER}/profile"
    answer = await system.client.put(path, json=bad, headers=system.bearer(Role.ADMIN))
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "notice.proof_digest")


@pytest.mark.dialect
async def test_a_file_that_breaks_the_intake_is_refused_alone_and_not_tried_for_ever(system):
    """Its profile was stored before such times were refused."""
    await system.place("A-1")
    sent = await system.push(file_of(row("A-2")))
    async with system.runtime.database.transaction() as tx:
        profile = (await tx.session.scalars(select(FeedProfileRow))).one()
        profile.content = json.dumps(json.loads(profile.content) | {"notice": PROFILE["notice"] | {"sent_at": EVER}})
    assert await work_off(system.runtime, PLACEMENTS) == PLACEMENTS.tries_max
    refused = await system.get(f"/placements/{sent.json()['id']}")
    assert (refused["status"], "ValidationError" in refused["problem"]) == ("REFUSED", True)
