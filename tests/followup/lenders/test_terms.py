"""What a lender counts as late and as paid holds for the promises that are made from then on."""

from datetime import timedelta

import pytest

from shared.auth import Role
from shared.ids import new_id
from tests.followup.conftest import MONDAY, noon, paid, promised

PATH = "/lenders/lender-1/promise-terms"
FRIDAY = MONDAY + timedelta(days=4)
BODY = {"grace_days": 1, "grace_in": "WORKING", "tolerance": "1", "on_missed": "CONTINUE"}


async def recorded(system, body, expect=200, *, match=None, **who):
    headers = system.bearer(who.pop("role", Role.ADMIN), **who) | ({"If-Match": match} if match else {})
    answer = await system.client.put(f"/followup/v1{PATH}", json=body, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer


@pytest.mark.dialect
async def test_terms_hold_for_promises_that_are_made_from_then_on(system):
    earlier, later = new_id(), new_id()
    await system.hear(promised(new_id(), (FRIDAY, "1000"), promise_id=earlier))
    assert (await system.get(PATH)) | {"version": 0, "tolerance": "0.95"} == await system.get(PATH)
    await recorded(system, BODY)
    await system.hear(promised(new_id(), (FRIDAY, "1000"), promise_id=later))
    shown = {name: await system.get(f"/promises/{name}") for name in (earlier, later)}
    assert [shown[name]["tolerance"] for name in (earlier, later)] == ["0.95", "1"]
    [part] = shown[later]["instalments"]
    assert (part["counts_until"], shown[later]["on_missed"]) == (str(FRIDAY + timedelta(days=3)), "CONTINUE")
    [(_, headers, _)] = [each for each in await system.published() if each[0] == "lender-terms-recorded"]
    assert headers["ce_lenderid"] == "lender-1"


async def test_an_amount_may_lack_in_promises_of_its_currency(system):
    case, promise = new_id(), new_id()
    await recorded(system, BODY | {"may_lack": {"amount": "30", "currency": "TWD"}})
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    await system.hear(paid(case, "970", FRIDAY))
    await system.settle_at(noon(FRIDAY + timedelta(days=9)))
    assert (await system.get(f"/promises/{promise}"))["status"] == "KEPT"


async def test_a_change_says_what_it_has_seen_and_the_same_again_changes_nothing(system):
    first = await recorded(system, BODY)
    assert (await recorded(system, BODY)).headers["etag"] == first.headers["etag"]
    await recorded(system, BODY | {"grace_days": 5}, match=first.headers["etag"])
    await recorded(system, BODY | {"grace_days": 6}, 412, match=first.headers["etag"])
    assert (await system.types()).count("lender-terms-recorded") == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"grace_days": -1},
        {"grace_days": 61},
        {"tolerance": "0"},
        {"tolerance": "1.1"},
        {"tolerance": "NaN"},
        {"grace_in": "LUNAR"},
        {"on_missed": "FORGIVE"},
        {"may_lack": {"amount": "0", "currency": "TWD"}},
        {"may_lack": {"amount": "5", "currency": "XXX"}},
        {"may_lack": {"amount": "0.005", "currency": "TWD"}},
        {"odd": 1},
    ],
)
async def test_terms_that_cannot_be_meant_are_refused(system, wrong):
    answer = await recorded(system, BODY | wrong, 422)
    assert answer.json()["errors"]
    assert (await system.get(PATH))["version"] == 0


async def test_who_may_record_and_who_may_read(system):
    for role in (Role.SUPERVISOR, Role.CALLER, Role.COLLECTOR, Role.COMPLIANCE):
        await recorded(system, BODY, 403, role=role)
    await recorded(system, BODY, 404, role=Role.LENDER, lender_id="lender-1")
    await system.get(PATH, role=Role.LENDER, lender_id="lender-1")
    answer = await system.client.get(f"/followup/v1{PATH}", headers=system.bearer(Role.LENDER, lender_id="lender-2"))
    assert answer.status_code == 404
