"""Promises of calls: who may record them, for which case, with which terms."""

from datetime import timedelta

import pytest

from shared.auth import Role
from shared.ids import new_id
from tests.followup.conftest import MONDAY, noon, opened, paid, promised

FRIDAY = MONDAY + timedelta(days=4)
TWD = {"amount": "500", "currency": "TWD"}
DIGEST = "5a" * 32


async def followed(system):
    case_id = new_id()
    await system.hear(opened(case_id))
    return case_id


def body(case_id, **more):
    parts = [{"due_on": str(FRIDAY), "amount": TWD}]
    return {"case_id": str(case_id), "instalments": parts, "recording": {"consented": True, "digest": DIGEST}} | more


async def made(system, wish, expect=201, role=Role.CALLER, **who):
    answer = await system.client.post("/followup/v1/promises", json=wish, headers=system.bearer(role, **who))
    assert answer.status_code == expect, answer.text
    return answer.json()


@pytest.mark.dialect
async def test_a_promise_of_a_call_is_followed_like_any_other(system):
    case_id = await followed(system)
    earlier = new_id()
    await system.hear(promised(case_id, (FRIDAY, "900"), day=MONDAY - timedelta(days=1), promise_id=earlier))
    wish = body(case_id)
    headers = system.bearer(Role.CALLER) | {"Idempotency-Key": "call-1"}
    answers = [await system.client.post("/followup/v1/promises", json=wish, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    [promise, again] = [answer.json() for answer in answers]
    assert promise == again
    assert (promise["visit_id"], promise["recording_consented"], promise["status"]) == (None, True, "ACTIVE")
    assert (await system.get(f"/promises/{earlier}"))["status"] == "SUPERSEDED"
    await system.hear(paid(case_id, "500", FRIDAY))
    assert (await system.get(f"/promises/{promise['id']}", role=Role.CALLER))["status"] == "KEPT"


async def test_a_schedule_makes_the_instalments(system):
    wish = body(await followed(system))
    del wish["instalments"]
    total = {"amount": "100", "currency": "TWD"}
    wish["schedule"] = {"first_due_on": "2026-03-31", "every": "MONTH", "total": total, "parts": 3}
    promise = await made(system, wish)
    shown = [(part["due_on"], part["amount"]["amount"]) for part in promise["instalments"]]
    assert shown == [("2026-03-31", "33.33"), ("2026-04-30", "33.33"), ("2026-05-31", "33.34")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"instalments": None}, "either"),
        ({"schedule": {"first_due_on": "2026-03-31", "every": "MONTH", "total": TWD, "parts": 3}}, "either"),
        ({"recording": {"consented": False, "digest": DIGEST}}, "consent"),
        ({"recording": {}}, "required"),
        ({"instalments": [{"due_on": "2026-03-01", "amount": TWD}]}, "from the day"),
        ({"instalments": [{"due_on": "2026-03-06", "amount": TWD | {"currency": "HKD"}}]}, "that of the case, TWD"),
        ({"instalments": [{"due_on": "2026-03-06", "amount": TWD | {"amount": "0"}}]}, "more than 0"),
        ({"instalments": [{"due_on": "2026-03-06", "amount": TWD | {"currency": "QQQ"}}]}, "currency"),
        ({"at": noon(MONDAY + timedelta(days=1)).isoformat()}, "seven days"),
        ({"at": noon(MONDAY - timedelta(days=8)).isoformat()}, "seven days"),
    ],
)
async def test_terms_that_cannot_be_meant_are_refused(system, wrong, says):
    problem = await made(system, body(await followed(system)) | wrong, 422)
    assert says in str(problem)
    assert (await system.get("/promises"))["items"] == []


async def test_who_may_record_a_promise(system):
    case_id = await followed(system)
    for role in (Role.COLLECTOR, Role.COMPLIANCE, Role.ADMIN):
        await made(system, body(case_id), 403, role)
    await made(system, body(case_id), 404, Role.LENDER, lender_id="lender-1")
    await made(system, body(new_id()), 404)
    await made(system, body(case_id), 201, Role.SUPERVISOR)
