"""Lines and cash of the door: each counts once, is answered in words, and is published; on both databases."""

import json

import pytest

from shared.auth import Role
from tests.cases.conftest import System
from tests.cases.reports import line, owed, register, report, send, taken


@pytest.mark.dialect
async def test_a_reversal_waits_for_its_payment_and_takes_back_no_more(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-25")
    back = {"kind": "REVERSAL", "reverses": "P-1", "original_value_date": "2026-02-27"}
    assert await report(system, line("R-1", "300", **back)) == ["PENDING"]
    assert await owed(system) == ("1000", "0", "1000")
    assert await report(system, line("P-1", "400", received_on="2026-02-27")) == ["ACCEPTED"]
    assert (await owed(system))[0] == "900"
    answers = await report(
        system,
        line("R-2", "101", **back),
        line("R-3", "1", **back | {"reverses": "R-1"}),
        line("R-4", "1", **back | {"original_value_date": "2026-02-26"}),
        line("R-1", "200", **back),
        line("R-5", "1", kind="REVERSAL"),
        line("P-2", "1", reverses="P-1"),
        line("R-6", "100", **back),
    )
    assert answers == ["reversal-too-large", "reversal-of-no-payment", "original-day-differs", "reference-reused",
                       "reverses-needed", "reverses-needed", "ACCEPTED"]  # fmt: skip
    assert (await owed(system))[0] == "1000"
    money = [(kind, json.loads(body)) for kind, _, body in await system.published() if kind.startswith("payment")]
    assert [(kind, body["amount"]["amount"]) for kind, body in money] == [
        ("payment-received", "400"),
        ("payment-reversed", "300"),
        ("payment-reversed", "100"),
    ]
    assert money[1][1]["payment_id"] == money[0][1]["payment_id"]
    assert {body["received_on"] for _, body in money} == {"2026-02-27"}


async def test_a_reference_repeats_on_another_account_only(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,500,60")
    answers = await report(
        system, line("P", "10"), line("P", "10", "A-2"), line("P", "11"), line("P", "10", received_on="2026-03-01")
    )
    assert answers == ["ACCEPTED", "ACCEPTED", "reference-reused", "reference-reused"]
    assert await report(system, line("Q", "1", kind="CHARGE"), line("Q", "1", kind="WAIVER")) == [
        "ACCEPTED",
        "reference-reused",
    ]
    wrong = [line("W-1", "0"), line("W-2", "-5"), line("W-3", "1", posted_on="2026-03-03"),
             line("W-4", "1") | {"amount": {"amount": "1", "currency": "JPY"}}]  # fmt: skip
    assert await report(system, *wrong) == ["amount-not-positive"] * 2 + ["date-in-future", "currency-differs"]


async def test_components_add_up_to_the_amount_and_are_shown(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60")
    parts = {"principal": "80", "interest": "15", "fees": "5"}
    lines = [line("P-1", "100", components=parts), line("P-2", "101", components=parts)]
    lines.append(line("P-3", "1", components={"fees": "0.001"}))
    assert await report(system, *lines) == ["ACCEPTED", "components-differ", "amount-malformed"]
    assert (await system.get("/payments"))["items"][0]["components"] == parts
    wrong = {"payments": [line("P-4", "1", components={"bribe": "1"})]}
    await system.post("/payments", wrong, expect=422, role=Role.LENDER)


@pytest.mark.dialect
@pytest.mark.parametrize("line_first", [False, True])
async def test_cash_counts_once_whoever_reports_it_first(system: System, line_first: bool) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,300,90", as_of="2026-03-01")
    [case] = (await system.get("/cases"))["items"]
    confirming = line("P-1", "500", receipt_number="C-1")
    if line_first:
        assert await report(system, confirming) == ["ACCEPTED"]
    await system.hear(taken(case["id"], "500"))
    await system.hear(taken(case["id"], "500"))
    assert (await owed(system))[0] == "800"
    if not line_first:
        [case] = (await system.get("/cases"))["items"]  # the most overdue account first
        assert [each["balance"]["amount"] for each in case["accounts"]] == ["800", "0"]
        assert await report(system, confirming) == ["CONFIRMED"]
        assert (await owed(system))[0] == "800"
    assert await report(system, line("P-2", "20", receipt_number="C-1")) == ["CONFIRMED"]
    [total] = (await system.get("/payments/totals"))["items"]
    assert (total["received"], total["outstanding"]) == ("520", "780")
    received = [json.loads(body) for kind, _, body in await system.published() if kind == "payment-received"]
    assert all(("visit_id" in each) is each["provisional"] for each in received)
    assert [(each["amount"]["amount"], each["provisional"]) for each in received] == (
        [("500", False)] if line_first else [("300", True), ("200", True)]
    )


@pytest.mark.dialect
@pytest.mark.parametrize("line_first", [False, True])
async def test_cash_that_is_taken_back_is_the_payment_that_was_published(system: System, line_first: bool) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-25")
    [case] = (await system.get("/cases"))["items"]
    confirming = line("P-1", "480", receipt_number="C-1", received_on="2026-03-01")
    if line_first:
        await report(system, confirming)
    await system.hear(taken(case["id"], "500"))
    if not line_first:
        await report(system, confirming)
    back = {"kind": "REVERSAL", "reverses": "P-1", "original_value_date": "2026-03-01"}
    assert await report(system, line("R-1", "480", **back)) == ["ACCEPTED"]
    assert await owed(system) == ("1000", "0", "1000")
    money = [json.loads(body) for kind, _, body in await system.published() if kind.startswith("payment")]
    assert [(each["payment_id"], each["received_on"]) for each in money] == [
        (money[0]["payment_id"], "2026-03-01" if line_first else "2026-03-02")
    ] * 2
