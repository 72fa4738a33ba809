"""Amounts beyond 10^15 minor units are refused where they come in, and no sum of large ones overflows."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from services.cases.ledger.tables import AccountRow
from shared.auth import Role
from shared.money import Money
from tests.actors.samples import PROFILE
from tests.cases.conftest import System
from tests.one_service import LENDER

MOST = 10**13  # TWD has two decimals: 10^15 minor units


async def send(system: System, *rows: dict[str, Any], **query: str) -> dict[str, Any]:
    content = "\n".join(map(json.dumps, rows)).encode()
    return await system.get(await system.take_in(content, "application/x-ndjson", **query))


def row(account: str, balance: Any, debtor: str = "") -> dict[str, Any]:
    cells = {"account": account, "balance": str(balance), "currency": "TWD", "days": 60, "debtor": debtor}
    return cells | {"lat": "25.03", "lon": "121.56"}


async def errors(system: System, placement: dict[str, Any]) -> list[tuple[str, str]]:
    found = await system.get(f"/placements/{placement['id']}/errors")
    return [(each["field"], each["code"]) for each in found["items"]]


def payment(reference: str, amount: str, account: str = "A-1", **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": "TWD"}
    return {"reference": reference, "account_ref": account, "amount": money, "received_on": "2026-03-02", **more}


async def test_a_row_may_owe_so_much_and_no_cent_more(system: System) -> None:
    await system.place("A-0")
    done = await send(system, row("A-1", MOST), row("A-2", f"{MOST}.01"), row("A-3", "1e1000000"))
    assert (done["accepted"], done["rejected_by_code"]) == (1, {"amount-too-large": 2})
    assert await errors(system, done) == [("balance", "amount-too-large")] * 2


@pytest.mark.dialect
async def test_the_accounts_of_a_debtor_owe_no_more_together(system: System) -> None:
    await system.place(columns=PROFILE["columns"] | {"debtor_ref": "debtor"})
    first = await send(system, row("B-1", MOST - 5, "D"), row("B-2", 5, "D"), row("B-3", 1, "D"))
    assert (first["accepted"], first["rejected_by_code"]) == (2, {"amount-too-large": 1})
    again = await send(system, row("B-2", 6, "D"), as_of="2026-03-02")
    assert (again["accepted"], again["updated"], again["rejected_by_code"]) == (0, 0, {"amount-too-large": 1})
    [case] = (await system.get("/cases", balance_minor_min=10**15))["items"]
    assert case["balance"] == {"amount": str(MOST), "currency": "TWD"}


async def test_the_accounts_of_a_debtor_are_overpaid_no_more_together(system: System) -> None:
    await system.place(columns=PROFILE["columns"] | {"debtor_ref": "debtor"})
    await send(system, row("B-1", 5, "D"), row("B-2", 5, "D"), as_of="2026-03-01")
    done = await send(system, row("B-1", 5 - MOST, "D"), row("B-2", -6, "D"), row("B-3", 7, "E"), as_of="2026-03-02")
    assert (done["accepted"], done["updated"], done["rejected_by_code"]) == (2, 1, {"amount-too-large": 1})


async def test_a_payment_beyond_an_amount_is_malformed(system: System) -> None:
    for amount in (f"{MOST}.01", f"-{MOST}.01", "NaN", "Infinity", "1e1000000", "9" * 5_000, ""):
        body = {"payments": [payment("P-1", amount)]}
        problem = await system.post("/payments", body, expect=422, role=Role.LENDER)
        where = {each["where"] for each in problem["errors"]}
        assert where <= {"body.payments.0.amount", "body.payments.0.amount.amount"}, amount


@pytest.mark.dialect
async def test_no_case_is_overpaid_beyond_an_amount(system: System) -> None:
    await system.place("A-1")
    lines = [payment("P-1", str(MOST)), payment("P-2", str(MOST)), payment("P-3", "250000")]
    results = (await system.post("/payments", {"payments": lines}, role=Role.LENDER))["items"]
    assert [each["result"] for each in results] == ["REVIEW", "REVIEW", "ACCEPTED"]
    first, second = (await system.get("/payments/set-aside"))["items"]
    await system.post(f"/payments/set-aside/{first['id']}/post", {})
    problem = await system.post(f"/payments/set-aside/{second['id']}/post", {}, 409)
    assert problem["title"] == "amount-too-large"


@pytest.mark.dialect
async def test_sums_beyond_64_bits_are_exact(system: System) -> None:
    await system.place("A-1", "A-2", "A-3")
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(AccountRow).values(balance_minor=2**63 - 1))
    [total] = (await system.get("/payments/totals"))["items"]
    assert (total["outstanding"], total["overpaid"]) == (str(Money.of_minor(3 * (2**63 - 1), "TWD")), "0")
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(AccountRow).values(balance_minor=2 - 2**63))
    [total] = (await system.get("/payments/totals"))["items"]
    assert (total["outstanding"], total["overpaid"]) == ("0", str(Money.of_minor(3 * (2**63 - 2), "TWD")))


async def test_a_misspelt_receipt_number_is_no_second_payment(system: System) -> None:
    await system.place("A-1")
    body = {"payments": [payment("P-1", "10", reciept_number="R-1")]}
    problem = await system.post("/payments", body, expect=422, role=Role.LENDER)
    assert [each["where"] for each in problem["errors"]] == ["body.payments.0.reciept_number"]
    assert (await system.get("/payments/totals"))["items"][0]["payments"] == 0


@pytest.mark.dialect
async def test_a_misspelt_filter_does_not_show_everything(system: System) -> None:
    await system.place("A-1")
    answer = await system.client.get("/cases/v1/cases?lender=south", headers=system.bearer())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "query.lender"
    assert (await system.get("/cases?lender_id=south"))["items"] == []
    assert len((await system.get(f"/cases?lender_id={LENDER}"))["items"]) == 1


async def test_a_cell_that_no_database_holds_is_a_row_error(system: System) -> None:
    await system.place(columns=PROFILE["columns"] | {"debtor_ref": "debtor"})
    rows = [row("C-1", 5, "\ud800"), row("C-2", 5, "a\0b"), row("C\ud800", 5), row("C-4", 5, "\U0001f600")]
    done = await send(system, *rows)
    assert (done["accepted"], done["rejected_by_code"]) == (1, {"encoding": 3})
    assert await errors(system, done) == [("debtor_ref", "encoding")] * 2 + [("account_ref", "encoding")]
