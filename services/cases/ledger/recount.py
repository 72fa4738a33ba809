"""A second count of the books, from the entries alone: it shares no code with the formula of `domain`.

Rows are plain tuples in the order of cases, accounts and entries; dates are ISO text. What a balance that is kept, an
entry's number, or a payment of the trail says otherwise is a problem with a name.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, NamedTuple

DOUBT_DAYS = 3
ACCOUNTS = """
    SELECT CAST(c.id AS TEXT), CAST(a.id AS TEXT), a.account_ref, a.currency, a.balance_minor, a.asked_minor, a.entries,
        c.balance_minor, c.overpaid_minor, c.asked_minor, c.version
    FROM case_file c JOIN account a ON a.case_id = c.id
    WHERE $1 = '' OR c.id IN (SELECT case_id FROM account WHERE account_ref = $1)
    ORDER BY c.id, a.id
"""
ENTRIES = """
    SELECT CAST(e.account_id AS TEXT), e.seq, CAST(e.id AS TEXT), e.kind, e.amount_minor, e.currency,
        CAST(e.value_date AS TEXT), CAST(e.posted_on AS TEXT), e.assumed, e.reference, e.receipt_number, e.refers_to,
        CAST(e.original_value_date AS TEXT), e.issue
    FROM case_file c JOIN account a ON a.case_id = c.id JOIN ledger_entry e ON e.account_id = a.id
    WHERE $1 = '' OR c.id IN (SELECT case_id FROM account WHERE account_ref = $1)
    ORDER BY c.id, a.id, e.seq
"""


class Kept(NamedTuple):
    """What is kept of an account and its case."""

    case_id: str
    account_id: str
    account_ref: str
    currency: str
    balance: int
    asked: int
    entries: int
    case_owed: int
    case_overpaid: int
    case_asked: int
    case_version: int


class Row(NamedTuple):
    """One entry."""

    account_id: str
    seq: int
    id: str
    kind: str
    amount: int
    currency: str
    value_date: str
    posted_on: str
    assumed: bool
    reference: str | None
    receipt: str | None
    refers_to: str | None
    original_day: str | None
    issue: int | None


@dataclass(frozen=True, slots=True)
class Problem:
    """`kind`: balance-differs, asked-differs, case-differs, entry-missing, currency-differs, payment-missing,
    payment-differs, payment-unknown, trigger-missing."""

    kind: str
    account: str | None = None
    reference: str | None = None
    detail: str = ""


@dataclass(slots=True)
class Recount:
    """What was counted, and what was found."""

    accounts: int = 0
    entries: int = 0
    payments: int | None = None
    problems: list[Problem] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"ok": not self.problems, **asdict(self)}


def check_case(kept: list[Kept], rows: Mapping[str, list[Row]]) -> Iterator[Problem]:
    """Problems of one case: of its accounts with their entries."""
    cash = _open_cash(rows)
    owed = overpaid = asked_sum = 0
    for account in kept:
        own = rows.get(account.account_id, [])
        yield from _check_numbers(account, own)
        if not any(row.kind == "STATEMENT" for row in own):
            yield Problem("entry-missing", account.account_ref, detail="the account has no statement")
            continue
        balance, asked = _count(own, cash.get(account.account_id, 0))
        if balance != account.balance:
            detail = f"kept {account.balance}, by its entries {balance}"
            yield Problem("balance-differs", account.account_ref, detail=detail)
        if asked != account.asked:
            yield Problem("asked-differs", account.account_ref, detail=f"kept {account.asked}, by its entries {asked}")
        if not _is_gone(own):
            owed, overpaid, asked_sum = owed + max(0, balance), overpaid + max(0, -balance), asked_sum + max(0, asked)
    said = (kept[0].case_owed, kept[0].case_overpaid, kept[0].case_asked)
    if said != (owed, overpaid, asked_sum):
        yield Problem("case-differs", kept[0].account_ref, detail=f"kept {said}, counted {(owed, overpaid, asked_sum)}")


def _check_numbers(account: Kept, rows: list[Row]) -> Iterator[Problem]:
    numbers = [row.seq for row in rows]
    if numbers != list(range(1, account.entries + 1)):
        lost = sorted(set(range(1, account.entries + 1)) - set(numbers))
        detail = f"numbers {lost} are not there" if lost else f"{len(numbers)} entries, {account.entries} are known"
        yield Problem("entry-missing", account.account_ref, detail=detail)
    if any(row.currency != account.currency for row in rows):
        yield Problem("currency-differs", account.account_ref, detail="an entry is in another currency")


def _count(rows: list[Row], cash: int) -> tuple[int, int]:
    """Balance and asked of an account."""
    statement = max((row for row in rows if row.kind == "STATEMENT"), key=lambda row: (
        row.posted_on, row.issue or 0, -row.amount))  # fmt: skip
    through = statement.posted_on
    settled = {row.refers_to: row.posted_on for row in rows if row.kind == "POSTED"}
    balance = asked = statement.amount + cash
    for row, amount in _lines(rows):
        posted = settled.get(row.reference, row.posted_on)
        counts = amount if posted > through else 0
        balance += counts
        doubtful = row.assumed and row.reference not in settled and _days_between(posted, through) <= DOUBT_DAYS
        asked += min(0, amount) if doubtful else counts
    return balance, asked


def _days_between(one: str, other: str) -> int:
    return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)


def _lines(rows: list[Row]) -> Iterator[tuple[Row, int]]:
    """The lines that count, each with its amount: a reversal takes back at most what its payment has left."""
    left = {row.reference: -row.amount for row in rows if row.kind in ("PAYMENT", "CASH_CONFIRMED")}
    first = min(row.posted_on for row in rows if row.kind == "STATEMENT")
    settled = {row.refers_to: row.posted_on for row in rows if row.kind == "POSTED"}
    reversals = []
    for row in rows:
        if row.kind in ("PAYMENT", "CASH_CONFIRMED", "CHARGE", "WAIVER", "ADJUSTMENT"):
            yield row, row.amount
        elif row.kind == "REVERSAL":
            reversals.append(row)
    reversals.sort(key=lambda row: (settled.get(row.reference, row.posted_on), str(row.reference)))
    for row in reversals:
        if row.refers_to in left:
            amount = min(row.amount, left[row.refers_to])
            left[row.refers_to] -= amount
            yield row, amount
        elif (row.original_day or row.value_date) <= first:
            yield row, row.amount


def _open_cash(rows: Mapping[str, list[Row]]) -> dict[str, int]:
    """The open cash of each account of a case."""
    found: dict[str, int] = defaultdict(int)
    if not any(row.kind == "CASH" for own in rows.values() for row in own):
        return found
    voided = {row.receipt for own in rows.values() for row in own if row.kind == "CASH_VOIDED"}
    confirmed = _confirmed(rows)
    for receipt, parts in _taken(rows).items():
        lines = confirmed.get(receipt, {})
        closed = receipt in voided or bool(set(lines) - set(parts))
        if closed or (lines and sum(lines.values()) <= sum(parts.values())):
            continue
        for account_id, amount in parts.items():
            found[account_id] += 0 if account_id in lines else amount
    return found


Sums = dict[str, dict[str, int]]  # by receipt and account


def _taken(rows: Mapping[str, list[Row]]) -> Sums:
    taken: Sums = defaultdict(lambda: defaultdict(int))
    for account_id, own in rows.items():
        for row in own:
            if row.kind == "CASH":
                taken[str(row.receipt)][account_id] += row.amount
    return taken


def _confirmed(rows: Mapping[str, list[Row]]) -> Sums:
    confirmed: Sums = defaultdict(lambda: defaultdict(int))
    for account_id, own in rows.items():
        matched = {row.refers_to: row.receipt for row in own if row.kind == "MATCH"}
        for row in own:
            receipt = matched.get(row.reference) or row.receipt
            if row.kind in ("PAYMENT", "CASH_CONFIRMED") and receipt:
                confirmed[receipt][account_id] += row.amount
    return confirmed


_ORDER = ("REVERSAL", "STATEMENT", "CLOSING", "RECALL", "RETURN", "REOPENING")


def _is_gone(rows: list[Row]) -> bool:
    """Whether an account is absent from the lender's files, recalled or returned. The last fact counts."""
    if not any(row.kind in ("CLOSING", "RECALL", "RETURN") for row in rows):
        return False
    best: dict[str, Row] = {}
    for row in rows:
        if row.kind == "STATEMENT":
            other = best.get(row.posted_on)
            if other is None or (row.issue or 0, -row.amount) >= (other.issue or 0, -other.amount):
                best[row.posted_on] = row
    back = {row.id for row, amount in _lines(rows) if row.kind == "REVERSAL" and amount > 0}
    settled = {row.refers_to: row.posted_on for row in rows if row.kind == "POSTED"}
    facts = [row for row in rows if row.id in back or best.get(row.posted_on) is row]
    facts += [row for row in rows if row.kind in _ORDER[2:]]
    facts.sort(key=lambda row: (settled.get(row.reference, row.posted_on), _ORDER.index(row.kind)))
    state = "OPEN"
    for row in facts:
        state = _after(row, state)
    return state in ("BACK", "ABSENT")


def _after(row: Row, state: str) -> str:
    match row.kind:
        case "RECALL" | "RETURN":
            return "BACK"
        case "CLOSING":
            return state if state == "BACK" else "ABSENT"
        case "STATEMENT" if row.amount <= 0:
            return "PAID" if state == "OPEN" else state
        case "REVERSAL":
            return state if state == "BACK" else "OPEN"
        case _:
            return "OPEN"


@dataclass(frozen=True, slots=True)
class Named:
    """A payment or reversal as the trail names it: minor units, the day of its value."""

    entry_id: str
    amount: int
    value_date: str
    account_id: str | None
    reverses: bool


def check_payment(named: Named, row: Row | None) -> Iterator[Problem]:
    """Problems of a payment that the trail names, held to its entry."""
    if row is None:
        yield Problem("payment-missing", reference=named.entry_id, detail="the trail names it, the books do not")
        return
    day = named.value_date if named.reverses else row.value_date  # a reversal is published with its payment's day
    amount = min(named.amount, row.amount) if named.reverses else -row.amount
    if (named.amount, named.value_date, named.account_id or row.account_id) != (amount, day, row.account_id):
        yield Problem("payment-differs", reference=row.reference or row.receipt, detail="amount, day or account differ")


def unnamed(rows: Iterable[Row], named: set[str]) -> Iterator[Problem]:
    """Problems of one case whose events are all in the trail: money that the trail does not name. Of a receipt it names
    the cash or the line."""
    receipts = defaultdict(list)
    for row in rows:
        if row.kind == "PAYMENT" and row.id not in named:
            yield Problem("payment-unknown", reference=row.reference, detail="the trail does not name it")
        elif row.kind in ("CASH", "CASH_CONFIRMED"):
            receipts[row.receipt].append(row)
    for receipt, group in receipts.items():
        if not any(row.id in named for row in group):
            yield Problem("payment-unknown", reference=receipt, detail="the trail names no payment of this receipt")
