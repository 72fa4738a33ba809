"""`doorstep ledger`: counts the books again from their entries, and holds them to the trail, without asking the
services."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Annotated, Any

import typer
from sqlalchemy import make_url

from services.audit.verification.source import Source, TrailDamaged, TrailMissing, open_source
from services.cases.ledger.recount import (
    ACCOUNTS,
    ENTRIES,
    Kept,
    Named,
    Problem,
    Recount,
    Row,
    check_case,
    check_payment,
    unnamed,
)
from services.cases.settings import CasesSettings
from shared.cli.opening import require_database
from shared.cli.options import DataOption, JsonOption, given
from shared.cli.output import Exit, fail, out, print_json
from shared.events.cases import PaymentReceived, PaymentReversed
from shared.money import Money

app = typer.Typer(no_args_is_help=True, help="The books: what accounts owe.")
PROBLEMS_SHOWN = 50
TRIGGERS = {
    True: "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entry'",
    False: "SELECT 2 * count(*) FROM pg_trigger WHERE tgname = 'ledger_entry_append_only' AND tgenabled = 'A'",
}
TRAIL = "SELECT leaf FROM entry WHERE type = $1 ORDER BY log_id, idx"
HEADS = "SELECT aggregate_id, version FROM aggregate_head WHERE aggregate_id LIKE 'cases:%'"


def register(program: typer.Typer) -> None:
    program.add_typer(app, name="ledger")


@app.command("verify")
def verify_ledger(
    account: Annotated[str, typer.Option(help="a lender's account reference: check its cases only")] = "",
    data: DataOption = None,
    trail: Annotated[
        str | None,
        typer.Option(help="the URL of the trail's database; default: that of the data folder, for the embedded form"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count every balance again from the entries alone, and compare the payments that the trail names with the entries;
    exit 1 and name account or reference where something differs."""
    settings = CasesSettings.load(**given(data_dir=data))
    require_database(settings, "cases")
    if trail is None and settings.database_url is None:
        require_database(settings, "audit")
        trail = settings.database_url_of("audit")
    elif trail is not None:
        trail = with_password(settings, trail)
    try:
        found = asyncio.run(recount(settings.database_url_of("cases"), trail, account))
    except (TrailMissing, TrailDamaged) as missing:
        fail(Exit.MISSING, str(missing))
    if account and not found.accounts:
        fail(Exit.USAGE, "--account: no lender has an account of this reference here.")
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    raise typer.Exit(Exit.WRONG if found.problems else Exit.DONE)


def with_password(settings: CasesSettings, url: str) -> str:
    """The URL, with the password of the settings' file where it is of PostgreSQL and names none."""
    if not url.startswith("postgresql") or settings.database_password_file is None or make_url(url).password:
        return url
    return settings.model_copy(update={"database_url": url}).database_url_of("audit")


def _show(found: Recount) -> None:
    for problem in found.problems[:PROBLEMS_SHOWN]:
        name = problem.account or problem.reference or "the books"
        out.print(f"{name}: {problem.kind}: {problem.detail}", markup=False, style="red")
    if len(found.problems) > PROBLEMS_SHOWN:
        out.print(f"… and {len(found.problems) - PROBLEMS_SHOWN:,} more: --json lists all", style="red")
    against = "not compared with a trail: name it by --trail"
    if found.payments is not None:
        against = f"{found.payments:,} payments of the trail compared"
    out.print(f"{found.accounts:,} accounts counted from {found.entries:,} entries; {against}.")
    out.print("Each balance is what its entries say." if not found.problems else f"{len(found.problems):,} problems.")


async def recount(cases_url: str, trail_url: str | None, account: str = "") -> Recount:
    """Read the books and the trail once, and compare. The books are read first: what comes meanwhile is no problem."""
    async with AsyncExitStack() as stack:
        books = await stack.enter_async_context(open_source(cases_url, holds="ledger", service="cases"))
        found = Recount()
        [[triggers]] = await books.all(TRIGGERS[books.is_sqlite])
        if triggers != 2:
            found.problems.append(Problem("trigger-missing", detail="ledger_entry does not refuse changes"))
        money, versions = await _count_cases(books, account, found)
        if trail_url is not None:
            source = await stack.enter_async_context(open_source(trail_url))
            await _compare(source, money, versions, found, whole=not account)
    return found


def _plain(text: Any) -> str:
    return str(text).replace("-", "")


async def _count_cases(books: Source, account: str, found: Recount) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Check each case. Returns the money of each case that the trail may name, and the cases' versions."""
    money: dict[str, list[Row]] = {}
    versions: dict[str, int] = {}
    entries = _accounts_of(books, account)
    waiting: tuple[str, list[Row]] | None = await anext(entries, None)
    async for kept in _cases_of(books, account):
        own = {each.account_id for each in kept}
        rows: dict[str, list[Row]] = {}
        while waiting is not None and waiting[0] in own:
            rows[waiting[0]] = waiting[1]
            waiting = await anext(entries, None)
        found.accounts += len(kept)
        found.entries += sum(map(len, rows.values()))
        found.problems.extend(check_case(kept, rows))
        case_id = kept[0].case_id
        versions[case_id] = kept[0].case_version
        paid = [row for of_account in rows.values() for row in of_account if row.kind in _MONEY]
        if paid:
            money[case_id] = paid
    return money, versions


_MONEY = frozenset({"PAYMENT", "CASH", "CASH_CONFIRMED", "REVERSAL"})


async def _cases_of(books: Source, account: str) -> AsyncIterator[list[Kept]]:
    """The accounts of one case after the other."""
    kept: list[Kept] = []
    async for page in books.pages(ACCOUNTS, account):
        for values in page:
            case_id, account_id, *rest = values
            each = Kept(_plain(case_id), _plain(account_id), *rest)
            if kept and kept[0].case_id != each.case_id:
                yield kept
                kept = []
            kept.append(each)
    if kept:
        yield kept


async def _accounts_of(books: Source, account: str) -> AsyncIterator[tuple[str, list[Row]]]:
    """The entries of one account after the other."""
    rows: list[Row] = []
    async for page in books.pages(ENTRIES, account):
        for values in page:
            account_id, seq, id_, *rest = values
            row = Row(_plain(account_id), seq, _plain(id_), *rest)
            if rows and rows[0].account_id != row.account_id:
                yield rows[0].account_id, rows
                rows = []
            rows.append(row)
    if rows:
        yield rows[0].account_id, rows


async def _compare(
    trail: Source, money: dict[str, list[Row]], versions: dict[str, int], found: Recount, *, whole: bool
) -> None:
    """Hold the payments that the trail names to the entries, and the entries to the trail where all of a case is
    there."""
    by_id = {row.id: row for rows in money.values() for row in rows}
    named: set[str] = set()
    for event in (PaymentReceived, PaymentReversed):
        async for page in trail.pages(TRAIL, event.type):
            for (leaf,) in page:
                payment, case_id = _named(json.loads(bytes(leaf)))
                if whole or case_id in versions:
                    named.add(payment.entry_id)
                    found.problems.extend(check_payment(payment, by_id.get(payment.entry_id)))
    found.payments = len(named)
    async for page in trail.pages(HEADS):
        for aggregate, version in page:
            case_id = _plain(aggregate.partition(":")[2])
            if versions.get(case_id) == version:
                found.problems.extend(unnamed(money.get(case_id, ()), named))


def _named(leaf: dict[str, Any]) -> tuple[Named, str]:
    """A payment or reversal, and its case, as a leaf has them."""
    data = leaf["data"]
    reverses = leaf["type"] == PaymentReversed.type
    amount = Money.parse(Decimal(data["amount"]["amount"]), data["amount"]["currency"])
    account_id = data.get("account_id")
    named = Named(
        entry_id=_plain(data["reversal_id"] if reverses else data["payment_id"]),
        amount=amount.minor,
        value_date=data["received_on"],
        account_id=_plain(account_id) if account_id else None,
        reverses=reverses,
    )
    return named, _plain(data["case_id"])
