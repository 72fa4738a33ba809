"""In India no further account of a debtor is forwarded while a complaint is pending; on both databases."""

import pytest

from shared.auth import Role
from tests.actors.samples import DIGEST
from tests.cases.placements.test_places import registered

COLUMNS = {"account_ref": "account", "debtor_ref": "debtor", "balance": "balance", "days_past_due": "days"}
PLACES = {
    "in": {"country": "IN", "jurisdiction": "in", "time_zone": "Asia/Kolkata"},
    "tw": {},
}


async def sent(system, *lines):
    content = "\n".join(["account,debtor,balance,days", *lines, ""]).encode()
    return await system.get(await system.take_in(content))


@pytest.mark.dialect
@pytest.mark.parametrize(("law", "accepted"), [("in", 2), ("tw", 3)])
async def test_no_account_is_forwarded_while_a_grievance_is_pending_where_the_law_says_so(system, law, accepted):
    await registered(system, PLACES[law] | {"columns": COLUMNS})
    await sent(system, "A-1,K,1000,60")
    [case] = (await system.get("/cases"))["items"]
    complaint = {"kind": "CONDUCT", "channel": "CALL"}
    filed = await system.post(f"/cases/{case['id']}/complaints", complaint, 201, Role.COMPLIANCE)
    placement = await sent(system, "A-1,K,900,61", "A-2,K,500,60", "B-1,L,200,60")
    assert (placement["received"], placement["accepted"], placement["updated"]) == (3, accepted, 1)
    assert placement["accepted_balance"][0]["amount"] == ("1100" if law == "in" else "1600")
    errors = (await system.get(f"/placements/{placement['id']}/errors"))["items"]
    if law == "in":
        [error] = errors
        assert (error["line"], error["field"], error["code"]) == (3, "debtor_ref", "intake-forbidden")
        assert "in-grievance" in error["message"]
        answer = {"outcome": "UPHELD", "answer_digest": DIGEST}
        await system.post(f"/complaints/{filed['id']}/resolve", answer, role=Role.COMPLIANCE)
        assert (await sent(system, "A-2,K,500,60"))["accepted"] == 1
    else:
        assert errors == []
