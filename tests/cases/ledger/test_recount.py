"""`doorstep ledger verify` counts again by code of its own: it agrees with the books, and names what was changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given

from services.cases.ledger.domain.entries import Entry
from services.cases.ledger.domain.standing import account_standings, case_standing
from services.cases.ledger.recount import Kept, Named, Row, check_case, check_payment, unnamed
from services.cases.settings import CasesSettings
from services.cli.ledger import recount as recount_of
from services.cli.ledger import with_password
from tests.cases.conftest import System
from tests.cases.ledger.entries import ACCOUNT, OTHER, cash, march, payment
from tests.cases.ledger.test_orders import TODAY, arrive, worlds
from tests.cases.reports import line, register, report, send
from tests.searches import search


def row_of(entry: Entry) -> Row:
    original = entry.original_value_date
    return Row(
        str(entry.account_id), entry.seq, str(entry.id), entry.kind.value, entry.amount_minor, entry.currency,
        str(entry.value_date), str(entry.posted_on), entry.assumed, entry.reference, entry.receipt_number,
        entry.refers_to, str(original) if original else None, entry.issue,
    )  # fmt: skip


def kept_of(accounts: dict[UUID, list[Entry]]) -> tuple[list[Kept], dict[str, list[Row]]]:
    """What is kept of a case with these entries, and its rows."""
    numbered = {key: [replace(one, seq=n) for n, one in enumerate(own, 1)] for key, own in accounts.items()}
    found = account_standings(numbered, TODAY)
    case = case_standing(found.values())
    sums = (case.owed_minor, case.overpaid_minor, case.asked_minor, 1)
    kept = [
        Kept("c", str(key), f"A-{key.int}", "TWD", each.position.balance_minor, each.position.asked_minor,
             len(numbered[key]), *sums)
        for key, each in found.items()
    ]  # fmt: skip
    return kept, {str(key): [row_of(one) for one in own] for key, own in numbered.items()}


@search(sample=60, whole=20_000)
@given(first=worlds(), second=worlds())
def test_both_counts_agree(first: list[Any], second: list[Any]) -> None:
    others = [replace(one, account_id=OTHER) for one in arrive(second)]
    kept, rows = kept_of({ACCOUNT: arrive(first), OTHER: others})
    assert list(check_case(kept, rows)) == []


def test_each_change_is_named() -> None:
    kept, rows = kept_of({ACCOUNT: [*arrive([]), payment(400, march(3)), payment(30, march(4), "P-2")]})
    [account] = kept
    own = rows[account.account_id]

    def kinds(kept: list[Kept], own: list[Row]) -> list[str]:
        return [each.kind for each in check_case(kept, {account.account_id: own})]

    assert kinds(kept, own) == []
    assert kinds([account._replace(balance=account.balance + 1)], own) == ["balance-differs"]
    assert kinds([account._replace(asked=account.asked - 1)], own) == ["asked-differs"]
    assert kinds([account._replace(case_owed=1)], own) == ["case-differs"]
    assert kinds(kept, own[:-1])[0] == "entry-missing"
    assert kinds(kept, [own[0], own[2]])[0] == "entry-missing"
    assert kinds(kept, own[1:]) == ["entry-missing", "entry-missing", "case-differs"]
    assert "currency-differs" in kinds(kept, [*own[:2], own[2]._replace(currency="USD")])


def test_a_payment_is_held_to_the_trail() -> None:
    paid, taken = row_of(payment(400, march(3))), row_of(cash(50, march(4)))
    named = Named(paid.id, 400, str(march(3)), paid.account_id, reverses=False)
    assert list(check_payment(named, paid)) == []
    changed = [replace(named, amount=500), replace(named, value_date=str(march(4))), replace(named, account_id="x")]
    assert [each.kind for one in changed for each in check_payment(one, paid)] == ["payment-differs"] * 3
    assert [each.kind for each in check_payment(named, None)] == ["payment-missing"]
    assert list(unnamed([paid, taken], {paid.id, taken.id})) == []
    assert [each.reference for each in unnamed([paid, taken], set())] == ["P-1", "C-1"]


@pytest.mark.dialect
async def test_a_tampered_database_is_found(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,300,90", "B-1,E,70,5", as_of="2026-02-27")
    lines = [line("P-1", "400"), line("P-1", "10", "B-1"), line("P-2", "3", kind="CHARGE")]
    assert await report(system, *lines) == ["ACCEPTED"] * 3
    url = system.runtime.settings.database_url_of("cases")
    found = await recount_of(url, None)
    assert (found.accounts, found.entries, found.problems, found.payments) == (3, 6, [], None)
    assert (await recount_of(url, None, "B-1")).accounts == 1
    async with system.runtime.database.engine.begin() as connection:
        await connection.execute(sa.text("UPDATE account SET balance_minor = 1 WHERE account_ref = 'B-1'"))
    [problem] = (await recount_of(url, None)).problems
    assert (problem.kind, problem.account) == ("balance-differs", "B-1")
    assert (await recount_of(url, None, "A-1")).problems == []
    drop = "DROP TRIGGER ledger_entry_no_update"
    if not system.runtime.database.is_sqlite:
        drop = "DROP TRIGGER ledger_entry_append_only ON ledger_entry"
    async with system.runtime.database.engine.begin() as connection:
        await connection.execute(sa.text(drop))
        await connection.execute(sa.text("UPDATE ledger_entry SET amount_minor = -300 WHERE amount_minor = -40000"))
    kinds = [problem.kind for problem in (await recount_of(url, None)).problems]
    assert kinds[:2] == ["trigger-missing", "balance-differs"]


def test_the_password_of_the_trails_database_comes_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s:cret\n")
    settings = CasesSettings(database_url="postgresql+asyncpg://cases@db/cases", database_password_file=file)
    trail = "postgresql://reader@db/audit"
    assert with_password(settings, trail) == "postgresql://reader:s%3Acret@db/audit"
    own = "postgresql://reader:own@db/audit"
    assert with_password(settings, own) == own
    assert with_password(CasesSettings(), trail) == trail
    assert with_password(settings, "sqlite:///audit.sqlite3") == "sqlite:///audit.sqlite3"
