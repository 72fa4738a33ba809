"""Whom a collector may call, what a letter needs, and where a call reaches the debtor; on both databases."""

import pytest

from shared.auth import Role
from shared.events.visits import VisitCancelled, VisitDispatched
from shared.ids import new_id
from tests.actors.samples import DIGEST
from tests.cases.contacts.test_checks import US, verdict

NIGHT = "2026-03-02T23:00:00+08:00"
ATTEMPT = {"channel": "CALL", "result": "NO_ANSWER", "at": "2026-03-02T11:00:00+08:00"}


async def asked(system, path, body, collector):
    headers = system.bearer(Role.COLLECTOR, subject=str(collector))
    return await system.client.post(f"/cases/v1{path}", json=body, headers=headers)


async def test_a_collector_calls_the_debtor_to_whom_the_team_is_under_way_and_no_other(system):
    mine, other = await system.place("A-1", "A-2")
    me, visit = new_id(), new_id()
    await system.hear(
        VisitDispatched(case_id=mine, visit_id=visit, team_id=new_id(), collector_ids=[me], decision_id=new_id())
    )
    check = {"contacts": [{"case_id": mine}]}
    assert (await asked(system, "/contact-checks", check, me)).status_code == 200
    assert (await asked(system, "/contact-checks", check, new_id())).status_code == 404
    both = {"contacts": [{"case_id": mine}, {"case_id": other}]}
    assert (await asked(system, "/contact-checks", both, me)).status_code == 404
    attempts = {"attempts": [ATTEMPT | {"case_id": mine}, ATTEMPT | {"case_id": other}]}
    recorded = (await asked(system, "/contact-attempts", attempts, me)).json()
    assert (recorded["recorded"], recorded["refused"][0]["index"]) == (1, 1)
    assert recorded["refused"][0]["code"] == "case-not-found"
    await system.hear(VisitCancelled(case_id=mine, visit_id=visit, reason="CANCELLED_PAID"))
    assert (await asked(system, "/contact-checks", check, me)).status_code == 404
    assert len((await system.get("/contact-attempts"))["items"]) == 1


async def test_who_may_record_a_consent_may_record_its_withdrawal(system):
    [case] = await system.place("A-1")
    me = new_id()
    await system.hear(
        VisitDispatched(case_id=case, visit_id=new_id(), team_id=new_id(), collector_ids=[me], decision_id=new_id())
    )
    consent = {"scope": "ENTRY", "channel": "IN_PERSON", "given_at": ATTEMPT["at"], "proof_digest": DIGEST}
    given = (await asked(system, f"/cases/{case}/consents", consent, me)).json()
    path = f"/consents/{given['id']}/withdraw"
    assert (await asked(system, path, {}, new_id())).status_code == 404
    withdrawn = await asked(system, path, {}, me)
    assert (withdrawn.status_code, withdrawn.json()["withdrawn_by"]) == (200, f"collector:{me}")


@pytest.mark.parametrize(("channel", "expected"), [("CALL", "block"), ("SMS", "block"), ("LETTER", "pass")])
async def test_a_letter_has_no_hour(system, channel, expected):
    [case] = await system.place("A-1")
    assert (await verdict(system, case, NIGHT, channel=channel))[0] == expected
    recorded = await system.post("/contact-attempts", {"attempts": [ATTEMPT | {"case_id": case, "channel": channel}]})
    assert recorded["flagged"] == []


async def test_the_validation_notice_that_is_overdue_may_be_sent(system):
    [case] = await system.place("A-1", **US)
    reached = {"case_id": case, "channel": "CALL", "result": "RPC_OTHER", "at": "2026-02-10T12:00:00-05:00"}
    await system.post("/contact-attempts", {"attempts": [reached]})
    noon = "2026-02-27T12:00:00-05:00"
    assert await verdict(system, case, noon) == ("block", {"us-validation"})
    assert (await verdict(system, case, noon, channel="LETTER"))[0] == "pass"


@pytest.mark.dialect
async def test_a_call_that_reaches_the_debtor_at_work_is_judged_as_that(system):
    [case] = await system.place("A-1", **US)
    said = {"inconvenient_places": ["HOSPITAL"], "employer_forbids": True}
    headers = system.bearer()
    answer = await system.client.put(f"/cases/v1/cases/{case}/contact-preference", json=said, headers=headers)
    assert answer.status_code == 200
    noon = "2026-02-27T12:00:00-05:00"
    assert (await verdict(system, case, noon))[1] == set()
    assert await verdict(system, case, noon, place="WORKPLACE") == ("block", {"us-place-work"})
    assert await verdict(system, case, noon, place="HOSPITAL") == ("block", {"us-place"})
    attempt = {"case_id": case, "channel": "CALL", "result": "NO_ANSWER", "at": noon, "place": "WORKPLACE"}
    recorded = await system.post("/contact-attempts", {"attempts": [attempt]})
    assert recorded["flagged"] == [{"index": 0, "rules": ["us-place-work"]}]
    [kept] = (await system.get("/contact-attempts"))["items"]
    assert kept["place"] == "WORKPLACE"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/contact-checks", {"contacts": [{"att": NIGHT}]}),
        ("/contact-attempts", {"attempts": [ATTEMPT | {"persom": "THIRD_PARTY"}]}),
        ("/cases/{case}/quiet-periods", {"reason": "CALAMITY", "first_day": "2026-03-01", "last": "2026-03-02",
                                         "proof_digest": DIGEST}),
        ("/cases/{case}/holds", {"reason": "HARDSHIP_REVIEW", "review_on": "2026-04-01", "scop": "visit"}),
        ("/cases/{case}/complaints", {"kind": "HOURS", "channel": "CALL", "filed": "2026-02-01T09:00:00+08:00"}),
    ],
)  # fmt: skip
async def test_a_field_that_is_written_wrongly_is_named_instead_of_passed_over(system, path, body):
    [case] = await system.place("A-1")
    body = {key: [each | {"case_id": case} for each in told] if isinstance(told, list) else told
            for key, told in body.items()}  # fmt: skip
    problem = await system.post(path.format(case=case), body, 422)
    assert problem["errors"]
    assert (await verdict(system, case))[0] == "pass"
