"""What a balance is made of: the parts add up, each says why it counts or not, and a past day stays as it was said."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cases.ledger.domain.balance import position
from services.cases.ledger.domain.cash import open_cash
from services.cases.ledger.domain.entries import Entry, Kind
from services.cases.ledger.domain.parts import parts
from shared.auth import Role
from tests.cases.conftest import NOON, System
from tests.cases.ledger.entries import ACCOUNT, cash, entry, march, payment, reversal, statement
from tests.cases.reports import line, register, report, send


def test_each_part_says_why_it_counts_or_not() -> None:
    stored = [
        statement(1200, march(10)),
        statement(1000, march(20)),
        payment(100, march(19), "IN"),
        payment(50, march(25), "AFTER"),
        payment(30, march(21), "DOUBT", assumed=True),
        payment(20, march(20), "DOUBT-IN", assumed=True),
        reversal(10, march(26), "UNKNOWN", march(25)),
        cash(40, march(24), "OPEN"),
        cash(60, march(24), "CONFIRMED"),
        payment(60, march(26), "LINE", receipt_number="CONFIRMED"),
        cash(70, march(24), "VOIDED"),
        entry(Kind.CASH_VOIDED, 0, march(25), receipt_number="VOIDED"),
    ]
    found = parts(ACCOUNT, {ACCOUNT: stored})
    assert [(each.entry.reference or each.entry.receipt_number, each.counted_minor, each.asked_minor, each.why)
            for each in found] == [
        (None, 0, 0, "STATEMENT_REPLACED"),
        (None, 1000, 1000, "COUNTS"),
        ("IN", 0, 0, "CONTAINED"),
        ("AFTER", -50, -50, "POSTED_AFTER"),
        ("DOUBT", -30, -30, "POSTED_AFTER"),
        ("DOUBT-IN", 0, -20, "BOOK_DAY_IN_DOUBT"),
        ("R-UNKNOWN", 0, 0, "PAYMENT_UNKNOWN"),
        ("OPEN", -40, -40, "CASH_OPEN"),
        ("CONFIRMED", 0, 0, "CASH_CONFIRMED"),
        ("LINE", -60, -60, "POSTED_AFTER"),
        ("VOIDED", 0, 0, "CASH_VOIDED"),
    ]  # fmt: skip
    assert _sums(stored) == (820, 800)


MADE = st.one_of(
    st.builds(lambda amount, day: statement(amount, march(day)), st.integers(0, 900), st.integers(1, 31)),
    st.builds(
        lambda amount, day, name, assumed: payment(amount, march(day), f"P-{name}", assumed=assumed),
        st.integers(1, 900), st.integers(1, 31), st.integers(0, 99), st.booleans(),
    ),
    st.builds(
        lambda amount, day, name: reversal(amount, march(day), f"P-{name}", march(day)),
        st.integers(1, 900), st.integers(1, 31), st.integers(0, 99),
    ),
    st.builds(lambda amount, day, name: cash(amount, march(day), f"C-{name}"), st.integers(1, 900), st.integers(1, 31),
              st.integers(0, 3)),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(MADE, max_size=12))
def test_the_parts_add_up_to_the_balance_and_to_what_is_asked(more: list[Entry]) -> None:
    stored = [statement(500, march(15)), *more]
    where = position(stored, open_cash({ACCOUNT: stored}).get(ACCOUNT, []))
    assert _sums(stored) == (where.balance_minor, where.asked_minor)


def _sums(stored: list[Entry]) -> tuple[int, int]:
    found = parts(ACCOUNT, {ACCOUNT: stored})
    return sum(each.counted_minor for each in found), sum(each.asked_minor for each in found)


@pytest.mark.dialect
async def test_a_lender_reads_what_a_balance_was_made_of_on_a_past_day(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,50,10", as_of="2026-02-26")
    await report(system, line("P-1", "400", posted_on="2026-03-02"))
    await system.at(NOON + timedelta(days=2))
    await send(system, "A-1,D,600,62", as_of="2026-03-03")
    first = (await system.get("/accounts", role=Role.LENDER, account_ref="A-1"))["items"][0]
    assert (first["balance"]["amount"], first["state"], first["payments"]) == ("600", "OPEN", 1)
    path = f"/accounts/{first['id']}"
    for day, balance, whys in (
        ("2026-03-02", "600", ["COUNTS", "POSTED_AFTER"]),
        ("2026-03-04", "600", ["STATEMENT_REPLACED", "CONTAINED", "COUNTS"]),
    ):
        said = await system.get(f"{path}/balance", role=Role.LENDER, on=day)
        assert (said["balance"]["amount"], [each["why"] for each in said["parts"]]) == (balance, whys)
    assert said == await system.get(f"{path}/balance")
    await system.get(f"{path}/balance", expect=404, on="2026-03-01")
    await system.get(f"{path}/balance", expect=422, on="2026-03-05")
    entries = await system.get(f"{path}/entries", limit=2)
    rest = await system.get(f"{path}/entries", limit=2, cursor=entries["next_cursor"])
    assert [each["kind"] for each in entries["items"] + rest["items"]] == ["STATEMENT", "PAYMENT", "STATEMENT"]
    for query, count in (
        ({"case_id": first["case_id"]}, 1), ({"kind": "REVERSAL"}, 0), ({"received_from": "2026-03-03"}, 0),
        ({"reference": "P-1", "received_until": "2026-03-02"}, 1), ({"account_id": str(UUID(int=5))}, 0),
    ):  # fmt: skip
        assert len((await system.get("/payments", role=Role.LENDER, **query))["items"]) == count, query
    assert len((await system.get("/accounts", state="RECALLED"))["items"]) == 0


async def test_a_lender_sees_the_kind_of_a_hold_and_no_person(system: System) -> None:
    [case] = await system.place("A-1")
    hold = {"reason": "HARDSHIP_REVIEW", "review_on": "2026-04-01"}
    await system.post(f"/cases/{case}/holds", hold, 201)
    [seen] = (await system.get(f"/cases/{case}/holds", role=Role.LENDER))["items"]
    assert (seen["reason"], seen["placed_by"], seen["release_reason"]) == ("HARDSHIP_REVIEW", None, None)
