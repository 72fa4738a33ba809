"""The books in use: files, lines and cash over HTTP and the bus give each case what it owes; on both databases."""

import json

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.cases.placements.jobs import PLACEMENTS
from shared.auth import Role
from shared.job_runner import run_next
from tests.cases.conftest import System
from tests.cases.reports import COLUMNS, content_of, line, owed, register, report, send


@pytest.mark.dialect
async def test_a_payment_and_the_file_that_contains_it_count_once_in_any_order(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", as_of="2026-02-28")
    paid = line("P-1", "400", posted_on="2026-03-02")
    assert await report(system, paid, paid, line("P-1", "400")) == ["ACCEPTED", "DUPLICATE", "DUPLICATE"]
    assert await owed(system) == ("600", "0", "600")
    assert (await send(system, "A-1,D,600,61", as_of="2026-03-02"))["updated"] == 1
    assert await owed(system) == ("600", "0", "600")
    late = line("P-2", "100", received_on="2026-02-20", posted_on="2026-02-27")
    assert await report(system, late) == ["ACCEPTED"]
    assert await owed(system) == ("600", "0", "600")
    await send(system, "A-1,D,999,10", as_of="2026-03-01")  # a late, older file
    assert await owed(system) == ("600", "0", "600")
    kinds = [kind for kind in await system.types() if kind.startswith(("case-updated", "payment"))]
    assert kinds == ["payment-received", "case-updated", "case-updated", "payment-received"]


async def test_a_row_without_a_debt_closes_a_known_account_and_opens_no_other(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,50,10")
    done = await send(system, "A-1,D,0,0", "A-9,E,0,0", "A-8,E,5,0", as_of="2026-03-02")
    assert (done["updated"], done["rejected_by_code"]) == (1, {"balance-not-positive": 1, "not-past-due": 1})
    [case] = (await system.get("/cases"))["items"]
    assert [(each["account_ref"], each["state"]) for each in case["accounts"]] == [
        ("A-1", "PAID_AT_LENDER"),
        ("A-2", "OPEN"),
    ]
    found = [case[name] for name in ("days_past_due", "bucket", "open_accounts")]
    assert (case["balance"]["amount"], found) == ("50", [10, "M1", 1])
    published = [json.loads(payload) for kind, _, payload in await system.published() if kind == "case-updated"]
    assert {name: published[-1][name] for name in ("accounts", "open_accounts", "days_past_due")} == {
        "accounts": 2,
        "open_accounts": 1,
        "days_past_due": 10,
    }


async def test_a_corrected_file_of_a_day_carries_its_number(system: System) -> None:
    await register(system, columns=COLUMNS | {"as_of": "day"}, as_of_means="START_OF_DAY")
    head = "account,debtor,balance,days,day"
    await send(system, "A-1,D,1000,60,2026-03-02", head=head)
    await send(system, "A-1,D,1500,70,2026-03-02", head=head)
    assert (await owed(system))[0] == "1000"
    await send(system, "A-1,D,1200,5,2026-03-02", head=head, issue=2)
    [case] = (await system.get("/cases"))["items"]
    assert (case["balance"]["amount"], case["days_past_due"]) == ("1200", 5)
    assert await report(system, line("P-1", "100")) == ["ACCEPTED"]
    assert (await owed(system))[0] == "1100"  # the file goes through the day before
    done = await send(system, "A-1,D,1200,5,2026-03-03", head=head)
    assert done["rejected_by_code"] == {"date-in-future": 1}


async def test_the_newest_file_again_is_the_same_placement_and_an_older_one_is_read_again(system: System) -> None:
    await register(system)
    content = content_of("account,debtor,balance,days", "A-1,D,1000,60")
    first = await system.take_in(content)
    repeated = await system.push(content)
    assert repeated.headers["Location"].endswith(first)
    assert await run_next(system.runtime, PLACEMENTS) == 0
    ids = {first, await system.take_in(content, as_of="2026-03-02"), await system.take_in(content)}
    assert len(ids) == 3


async def test_a_currency_of_three_digits_is_kept_and_another_one_is_refused(system: System) -> None:
    await register(system, currency="KWD", columns=COLUMNS | {"currency": "currency"})
    head = "account,debtor,balance,days,currency"
    await send(system, "A-1,D,1.125,60,KWD", head=head)
    done = await send(system, "A-1,D,1000,60,JPY", head=head)
    assert done["rejected_by_code"] == {"currency-differs": 1}
    paid = line("P-1", "0.001") | {"amount": {"amount": "0.001", "currency": "KWD"}}
    assert await report(system, paid) == ["ACCEPTED"]
    assert (await owed(system))[0] == "1.124"


@pytest.mark.dialect
@pytest.mark.parametrize("change", ["UPDATE ledger_entry SET amount_minor = 1", "DELETE FROM ledger_entry"])
async def test_an_entry_is_never_changed(system: System, change: str) -> None:
    await system.place("A-1")
    with pytest.raises(DBAPIError, match="append-only"):
        async with system.runtime.database.engine.begin() as connection:
            await connection.execute(sa.text(change))
    async with system.runtime.database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entry'"
        else:
            query = "SELECT 2 * count(*) FROM pg_trigger WHERE tgname = 'ledger_entry_append_only'"
        assert (await connection.execute(sa.text(query))).scalar() == 2


@pytest.mark.dialect
async def test_what_is_not_explained_is_listed_until_it_is(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,E,500,60", as_of="2026-02-20")
    await send(system, "A-1,D,600,66", "A-2,E,500,66", as_of="2026-02-26")
    [found] = (await system.get("/differences"))["items"]
    [item] = found["items"]
    assert (found["account_ref"], found["opening"], item["cause"], item["amount"]) == (
        "A-1",
        None,
        "PAYMENT_MISSING",
        {"amount": "-400", "currency": "TWD"},
    )
    assert (item["since"], item["until"]) == ("2026-02-20", "2026-02-26")
    assert (await system.get("/differences", role=Role.LENDER, lender_id="another"))["items"] == []
    assert await report(system, line("P-1", "400", received_on="2026-02-25")) == ["ACCEPTED"]
    assert (await system.get("/differences", role=Role.LENDER))["items"] == []
