"""Balances without a file: each line is a statement of a known account, as a row of a file is; on both databases."""

from typing import Any

import pytest

from shared.auth import Role
from tests.cases.conftest import System
from tests.cases.reports import line, owed, register, report, send


def said(amount: str, account: str = "A-1", days: int = 60, **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": "TWD"}
    return {"account_ref": account, "balance": money, "days_past_due": days, "as_of": "2026-03-02"} | more


async def state(system: System, *lines: dict[str, Any]) -> list[str]:
    items = (await system.post("/balances", {"balances": list(lines)}, role=Role.LENDER))["items"]
    return [each["code"] or each["result"] for each in items]


@pytest.mark.dialect
async def test_a_balance_is_the_same_as_a_row_of_a_file(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,500,60", as_of="2026-02-27")
    await report(system, line("P-1", "400", posted_on="2026-03-02"), line("P-2", "50", "A-2", posted_on="2026-03-02"))
    parts = {"principal": "550", "interest": "50"}
    assert await state(system, said("600", components=parts), said("600", components=parts), said("0", "A-2", 0)) == [
        "ACCEPTED", "DUPLICATE", "ACCEPTED"]  # fmt: skip
    assert await owed(system) == ("600", "0", "600")
    await send(system, "A-1,D,900,60", as_of="2026-03-01")  # a late, older file
    assert await state(system, said("650", issue=2)) == ["ACCEPTED"]
    assert (await owed(system))[0] == "650"
    [first, second] = (await system.get("/accounts"))["items"]
    assert second["state"] == "PAID_AT_LENDER"
    entries = (await system.get(f"/accounts/{first['id']}/entries"))["items"]
    assert [each["components"] for each in entries if each["source"] == "balances"] == [parts, None]


async def test_what_is_wrong_with_a_balance_is_said_and_the_rest_counts(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-27")
    answers = await state(
        system,
        said("1", "A-9"),
        said("-1"),
        said("0.001"),
        said("1", as_of="2026-03-03"),
        said("1", components={"fees": "2"}),
        said("1") | {"balance": {"amount": "1", "currency": "JPY"}},
        said("700"),
    )
    assert answers[:4] == ["account-not-found", "balance-negative", "amount-malformed", "date-in-future"]
    assert answers[4:] == ["components-differ", "currency-differs", "ACCEPTED"]
    assert (await owed(system))[0] == "700"
    await system.post("/balances", {"balances": [said("1", days=-1)]}, 422, role=Role.LENDER)
