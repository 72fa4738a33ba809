"""A lender takes accounts back; a case that is paid, recalled or opened again says so."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.auth import Role
from tests.cases.conftest import NOON, System
from tests.cases.reports import line, owed, register, report, send, taken


async def recall(system: System, *refs: str, expect: int = 200, role: Role = Role.LENDER, **more: Any) -> Any:
    accounts = [{"account_ref": ref, "reason": "SOLD"} for ref in refs]
    return await system.post("/recalls", {"accounts": accounts} | more, expect, role=role)


async def results(system: System, *refs: str, **more: Any) -> list[str]:
    return [each["result"] for each in (await recall(system, *refs, **more))["items"]]


async def phases(system: System) -> list[tuple[str, str | None]]:
    """The events that say that the case is in another phase, with their reasons."""
    kinds = {"case-closed", "case-recalled", "case-reopened", "accounts-recalled"}
    found = [(kind, json.loads(body)) for kind, _, body in await system.published() if kind in kinds]
    return [(kind, body.get("reason")) for kind, body in found]


@pytest.mark.dialect
async def test_a_case_is_recalled_with_its_last_account_and_contact_ends(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,500,60", as_of="2026-02-25")
    assert await results(system, "A-1", "A-1", "X-9") == ["RECALLED", "DUPLICATE", "REJECTED"]
    assert (await owed(system))[0] == "500"
    assert await phases(system) == [("accounts-recalled", "SOLD")]
    assert await results(system, "A-2", "A-1") == ["RECALLED", "DUPLICATE"]
    assert (await owed(system))[0] == "0"
    assert (await phases(system))[1:] == [("accounts-recalled", "SOLD"), ("case-recalled", None)]
    [case] = (await system.get("/cases"))["items"]
    check = {"contacts": [{"case_id": case["id"]}]}
    [judged] = (await system.post("/contact-checks", check, role=Role.SUPERVISOR))["items"]
    assert (judged["verdict"], "house-hold" in str(judged)) == ("block", True)
    listed = (await system.get("/recalls"))["items"]
    assert [(each["reason"], each["recalled_by"].partition(":")[0]) for each in listed] == [("SOLD", "lender")] * 2


async def test_a_case_that_is_paid_closes_once_and_a_reversal_opens_it_again(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-25")
    paid = line("P-1", "1000", received_on="2026-02-27")
    assert await report(system, paid, paid) == ["ACCEPTED", "DUPLICATE"]
    assert await phases(system) == [("case-closed", "PAID")]
    back = {"kind": "REVERSAL", "reverses": "P-1", "original_value_date": "2026-02-27"}
    assert await report(system, line("R-1", "1000", **back)) == ["ACCEPTED"]
    assert await phases(system) == [("case-closed", "PAID"), ("case-reopened", "PAID")]
    assert json.loads((await system.published())[-1][2])["cause"] == "MONEY"
    assert (await owed(system))[0] == "1000"


async def test_open_cash_neither_closes_a_case_nor_opens_a_paid_one(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-25")
    [case] = (await system.get("/cases"))["items"]
    await system.hear(taken(case["id"], "1000"))
    assert (await owed(system), await phases(system)) == (("0", "0", "0"), [])
    await send(system, "A-1,D,0,0", as_of="2026-03-01")
    assert await phases(system) == [("case-closed", "PAID")], "the lender's figure counts, not the cash"
    await system.hear(taken(case["id"], "200", "C-2"))
    assert (await owed(system), await phases(system)) == (("0", "1200", "0"), [("case-closed", "PAID")])


async def test_an_account_that_is_placed_again_opens_the_case_again(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-25")
    await recall(system, "A-1")
    await send(system, "A-1,D,900,10", as_of="2026-02-20")
    assert (await owed(system))[0] == "0", "an older file opens nothing"
    assert await phases(system) == [("accounts-recalled", "SOLD"), ("case-recalled", None)]
    await system.at(NOON + timedelta(days=2))
    await send(system, "A-1,D,900,10", as_of="2026-03-03")
    assert (await owed(system))[0] == "900"
    assert (await phases(system))[2:] == [("case-reopened", "RECALLED")]
    assert await results(system, "A-1") == ["RECALLED"], "once more"
    assert (await phases(system))[3:] == [("accounts-recalled", "SOLD"), ("case-recalled", None)]


async def test_who_may_recall_and_for_whom(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-25")
    for role in (Role.COLLECTOR, Role.COMPLIANCE, Role.ADMIN, Role.CALLER):
        await recall(system, "A-1", expect=403, role=role)
    await recall(system, "A-1", expect=422, role=Role.SUPERVISOR)
    await recall(system, "A-1", expect=422, lender_id="lender-9")
    await recall(system, "A-1", expect=422, accounts=[])
    await recall(system, "A-1", expect=422, accounts=[{"account_ref": "A-1", "reason": "because"}])
    assert await phases(system) == []
    other = await system.client.post(
        "/cases/v1/recalls",
        json={"accounts": [{"account_ref": "A-1", "reason": "SOLD"}]},
        headers=system.bearer(Role.LENDER, lender_id="lender-2"),
    )
    assert other.json()["items"][0]["code"] == "account-not-found"
    assert await results(system, "A-1", role=Role.SUPERVISOR, lender_id="lender-1") == ["RECALLED"]
    mine = await system.client.get("/cases/v1/recalls", headers=system.bearer(Role.LENDER, lender_id="lender-2"))
    assert mine.json()["items"] == []
