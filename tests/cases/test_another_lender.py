"""By no route of cases does a lender read or change what is another's: it is not there. Each route that a lender may
call is asked by another lender, then by the lender itself; a new route fails the test until it is listed here."""

import json
from typing import Any

import pytest

from services.cases.app import create_app
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared.auth import Role, rules_of
from shared.runtime import Runtime
from tests.actors.samples import DIGEST, PROFILE, file_of, row
from tests.cases.conftest import System
from tests.one_service import LENDER

SUNDAY = "2026-03-01T10:00:00+08:00"
CONSENT = {"scope": "HOURS", "channel": "IN_WRITING", "given_at": SUNDAY, "proof_digest": DIGEST}
ATTEMPT = {"case_id": "{case_id}", "channel": "CALL", "result": "NO_ANSWER", "at": SUNDAY}
CHECK = {"case_id": "{case_id}", "verified": True, "hazard": False, "method": "MAP", "at": SUNDAY}
NOTICE = {
    "case_id": "{case_id}",
    "kind": "PRIOR_NOTICE",
    "channel": "LETTER",
    "sent_at": SUNDAY,
    "proof_digest": DIGEST,
}
PAYMENT = {"account_ref": "A-1", "amount": {"amount": "1", "currency": "TWD"}, "received_on": "2026-03-01"}

NAMES_NO_ROW = {"POST /placements"}  # a lender sends a file of its own
# What each route is sent. Another lender is answered: there is no such thing (404),
NOT_THERE: dict[str, Any] = {
    "GET /cases/{case_id}": None,
    "GET /accounts/{account_id}/entries": None,
    "GET /accounts/{account_id}/balance": None,
    "GET /cases/{case_id}/holds": None,
    "GET /cases/{case_id}/notices": None,
    "GET /cases/{case_id}/referrals": None,
    "GET /cases/{case_id}/consents": None,
    "POST /cases/{case_id}/consents": CONSENT,
    "POST /consents/{consent_id}/withdraw": {},
    "GET /cases/{case_id}/quiet-periods": None,
    "POST /cases/{case_id}/quiet-periods": {
        "reason": "BEREAVEMENT",
        "first_day": "2026-03-02",
        "proof_digest": DIGEST,
    },
    "PUT /cases/{case_id}/contact-preference": {"channels": ["CALL"]},
    "GET /cases/{case_id}/contact-preference": None,
    "POST /cases/{case_id}/complaints": {"kind": "CONDUCT", "channel": "CALL"},
    "POST /contact-checks": {"contacts": [{"case_id": "{case_id}"}]},
    "POST /debtor-searches": {"lender_id": LENDER, "reference": "A-1"},
    "GET /placements/{placement_id}": None,
    "GET /jobs/{job_id}": None,
    "GET /jobs/{job_id}/outcomes": None,
    "GET /jobs/{job_id}/events": None,
    "POST /jobs/{job_id}/cancel": None,
    "GET /placements/{placement_id}/errors": None,
    "PUT /lenders/{lender_id}/profile": PROFILE,
    "GET /lenders/{lender_id}/profile": None,
    "GET /lenders/{lender_id}/profile/versions": None,
    "GET /lenders/{lender_id}/profile/versions/{version}": None,
    "GET /lenders/{lender_id}/agency": None,
}
# or that each line of a batch is refused,
REFUSED: dict[str, Any] = {
    "POST /contact-attempts": {"attempts": [ATTEMPT]},
    "POST /address-verifications": {"verifications": [CHECK]},
    "POST /notices": {"notices": [NOTICE]},
    "POST /balances": {
        "balances": [{"account_ref": "A-1", "balance": {"amount": "5", "currency": "TWD"}, "days_past_due": 60}]
    },
    "POST /recalls": {"accounts": [{"account_ref": "A-1", "reason": "SOLD"}]},
    "POST /payments": {"payments": [PAYMENT | {"reference": "P-1"}]},
}
# or by an empty list.
EMPTY: dict[str, Any] = dict.fromkeys(
    [
        "GET /cases", "GET /placements", "GET /contact-attempts", "GET /complaints", "GET /payments/totals",
        "GET /jobs", "GET /differences", "GET /accounts", "GET /payments", "GET /payments/set-aside", "GET /recalls",
    ]
)  # fmt: skip
ENDED = {"POST /jobs/{job_id}/cancel"}  # the lender's own job has ended


def test_each_route_that_a_lender_may_call_is_listed(settings: CasesSettings) -> None:
    rules = rules_of(create_app(Runtime(SERVICE, settings)).routes)
    open_to_lenders = {
        route.replace("/cases/v1", "") for route, roles in rules.items() if roles and Role.LENDER in roles
    }
    assert open_to_lenders == NAMES_NO_ROW | NOT_THERE.keys() | REFUSED.keys() | EMPTY.keys()


@pytest.mark.dialect
async def test_what_is_another_lenders_is_not_there_by_any_route(system: System) -> None:
    ids = await _a_row_of_each_kind(system)
    published = await system.published()
    for route, body in (NOT_THERE | REFUSED | EMPTY).items():
        status, answer = await _ask(system, route, body, ids, "lender-2")
        if route in NOT_THERE:
            assert status == 404, route
        elif route in REFUSED:
            refused = answer["refused"] if "refused" in answer else answer["items"]
            assert (status, [each["code"][-9:] for each in refused]) == (200, ["not-found"]), route
        else:
            assert (status, answer["items"]) == (200, []), route
    assert await system.published() == published
    for route, body in (NOT_THERE | REFUSED | EMPTY).items():
        status, answer = await _ask(system, route, body, ids, LENDER)
        assert status in ((409,) if route in ENDED else (200, 201)), (route, answer)
        assert not answer.get("refused"), route
        assert route not in EMPTY or answer["items"], route


async def _a_row_of_each_kind(system: System) -> dict[str, str]:
    """A lender has a case, with an account and a placement, and each room has a row of it. Returns their ids."""
    [case_id] = await system.place("A-1")
    ids = {"case_id": case_id, "lender_id": LENDER, "version": "1"}
    [opened] = [json.loads(payload) for kind, _, payload in await system.published() if kind == "case-opened"]
    ids["placement_id"] = opened["placement_id"]
    ids["consent_id"] = (await system.post(f"/cases/{case_id}/consents", CONSENT, 201))["id"]
    ids["account_id"] = (await system.get("/accounts"))["items"][0]["id"]
    for route in ("PUT /cases/{case_id}/contact-preference", "POST /cases/{case_id}/complaints"):
        await _ask(system, route, NOT_THERE[route], ids, LENDER)
    await _ask(system, "POST /contact-attempts", REFUSED["POST /contact-attempts"], ids, LENDER)
    await _ask(system, "POST /payments", {"payments": [PAYMENT | {"reference": "P-0"}]}, ids, LENDER)
    unmatched = PAYMENT | {"reference": "P-0", "account_ref": "A-9"}
    await _ask(system, "POST /payments", {"payments": [unmatched]}, ids, LENDER)
    await system.take_in(file_of(row("A-1", 240_000)))  # which no payment explains
    _, jobs = await _ask(system, "GET /jobs", None, ids, LENDER)
    ids["job_id"] = jobs["items"][0]["id"]
    return ids


async def _ask(system: System, route: str, body: Any, ids: dict[str, str], lender_id: str) -> tuple[int, Any]:
    method, path = route.split(" ")
    content = json.dumps(body).replace("{case_id}", ids["case_id"]) if body is not None else None
    headers = system.bearer(Role.LENDER, lender_id=lender_id) | {"Content-Type": "application/json"}
    answer = await system.client.request(method, f"/cases/v1{path.format(**ids)}", content=content, headers=headers)
    return answer.status_code, answer.json() if "json" in answer.headers["content-type"] else {}
