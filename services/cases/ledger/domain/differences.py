"""Differences between the lender's books and ours. They are derived from the entries each time, never stored.

An item leaves the list when an entry explains it: the missing line arrives, the receipt is confirmed, or two persons
settle it by POSTED or MATCH.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from itertools import combinations, pairwise
from uuid import UUID

from services.cases.ledger.domain.balance import (
    Movement,
    left_of,
    movements,
    pending_reversals,
    rank,
    statements_by_day,
)
from services.cases.ledger.domain.cash import Receipt, receipts
from services.cases.ledger.domain.entries import Entry, Kind, of_kind, paid_by_reference
from services.cases.ledger.domain.life import life
from shared.law import add_business_days

NEARBY = timedelta(days=10)
LINES_MAX, TOGETHER_MAX = 16, 3  # lines tried, and how many of them together
CASH_CONFIRMED_WITHIN_DAYS = 5  # working days of the lender
PAYMENT_KNOWN_WITHIN = timedelta(days=3)


class Cause(StrEnum):
    EXPLAINED = "EXPLAINED"
    ACCRUAL = "ACCRUAL"
    POSTING_DELAY_SUSPECTED = "POSTING_DELAY_SUSPECTED"
    PAYMENT_MISSING = "PAYMENT_MISSING"
    CASH_MAYBE_CONTAINED = "CASH_MAYBE_CONTAINED"
    OTHER = "OTHER"
    STATEMENT_CONFLICT = "STATEMENT_CONFLICT"
    CASH_DIFFERENCE = "CASH_DIFFERENCE"
    CASH_UNCONFIRMED = "CASH_UNCONFIRMED"
    REVERSAL_PENDING = "REVERSAL_PENDING"
    REVERSAL_TOO_LARGE = "REVERSAL_TOO_LARGE"
    REOPENED_TOO_LATE = "REOPENED_TOO_LATE"


@dataclass(frozen=True, slots=True)
class Difference:
    """One item. `amount_minor`: how much the lender's figure is above ours (negative: below). `until` is the day on
    which it shows, `since` the day of the statement before. `references`: the lines or receipts that it is about."""

    cause: Cause
    account_id: UUID
    amount_minor: int
    since: date
    until: date
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a lender's profile says: its calendar, the share of the balance that a day may accrue, the end of the
    term."""

    country: str | None = None
    region: str | None = None
    accrual_per_day: Decimal = Decimal(0)
    term_ends: date | None = None


def differences(accounts: Mapping[UUID, Sequence[Entry]], today: date, terms: Terms) -> list[Difference]:
    """The reconciliation list of a case: what is not explained. A pair of statements that agree is left out."""
    found = []
    of_case = receipts(accounts)
    for account_id, entries in accounts.items():
        pairs = between_statements(account_id, entries, of_case, terms)
        found += [each for each in pairs if each.cause is not Cause.EXPLAINED]
        found += _conflicts(account_id, entries)
        found += _reversals(account_id, entries, today)
        found += _reopenings(account_id, entries, terms)
    found += [each for receipt in of_case for each in _cash(receipt, today, terms)]
    return sorted(found, key=lambda each: (each.account_id, each.until, each.cause, each.references, each.amount_minor))


def between_statements(
    account_id: UUID, entries: Sequence[Entry], of_case: Sequence[Receipt], terms: Terms
) -> Iterator[Difference]:
    """For each pair of neighbouring statements: why the second differs from the first and the lines between them."""
    moved = movements(entries)
    for first, second in pairwise(statements_by_day(entries)):
        lines = sum(each.amount_minor for each in moved if first.through < each.posted_on <= second.through)
        gap = second.amount_minor - first.amount_minor - lines
        cause, references = _cause(gap, first, second, moved, of_case, terms)
        yield Difference(cause, account_id, gap, first.through, second.through, references)


def _cause(
    gap: int, first: Entry, second: Entry, moved: Sequence[Movement], of_case: Sequence[Receipt], terms: Terms
) -> tuple[Cause, tuple[str, ...]]:
    if gap == 0:
        return Cause.EXPLAINED, ()
    if contained := _sum_to(gap, _cash_until(second, moved, of_case)):
        return Cause.CASH_MAYBE_CONTAINED, contained
    if delayed := _sum_to(gap, _shifted(first, second, moved)):
        return Cause.POSTING_DELAY_SUSPECTED, delayed
    days = (second.through - first.through).days
    accrued = (max(0, first.amount_minor) * terms.accrual_per_day * days).to_integral_value(ROUND_CEILING)
    if 0 < gap <= accrued:
        return Cause.ACCRUAL, ()
    return (Cause.PAYMENT_MISSING if gap < 0 else Cause.OTHER), ()


def _cash_until(second: Entry, moved: Sequence[Movement], of_case: Sequence[Receipt]) -> list[tuple[str, int]]:
    """Cash that was taken by the statement's day, and whose line is not there or is posted later."""
    posted = {each.entry.id: each.posted_on for each in moved}
    found = []
    for receipt in of_case:
        if any(posted.get(line.id, date.max) <= second.through for line in receipt.lines) or receipt.voided:
            continue
        own = [cash for cash in receipt.cash if cash.account_id == second.account_id]
        amount = sum(cash.amount_minor for cash in own if cash.value_date <= second.through)
        found.append((receipt.number, amount))
    return [each for each in found if each[1]]


def _shifted(first: Entry, second: Entry, moved: Sequence[Movement]) -> list[tuple[str, int]]:
    """Lines near the statements, with what the gap would be if the lender had posted each on the other side."""
    found = []
    for each in moved:
        after_second, after_first = each.posted_on > second.through, each.posted_on > first.through
        edge = first.through if not after_first else second.through
        if abs(each.posted_on - edge) <= NEARBY and each.entry.reference is not None:
            missing = after_first and not after_second
            found.append((each.entry.reference, -each.amount_minor if missing else each.amount_minor))
    return sorted(found)


def _sum_to(gap: int, parts: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """The names of some parts that together make the gap: the fewest; none where no few of them do."""
    for count in range(1, min(TOGETHER_MAX, len(parts)) + 1):
        for some in combinations(parts[:LINES_MAX], count):
            if sum(amount for _, amount in some) == gap:
                return tuple(name for name, _ in some)
    return ()


def _conflicts(account_id: UUID, entries: Sequence[Entry]) -> Iterator[Difference]:
    """Two statements of one day with the same issue number, and different amounts."""
    counts = {entry.through: entry for entry in statements_by_day(entries)}
    for entry in of_kind(entries, Kind.STATEMENT):
        chosen = counts[entry.through]
        same_issue = (entry.issue or 0) == (chosen.issue or 0)
        if entry is not chosen and same_issue and rank(entry)[2] != rank(chosen)[2]:
            above = entry.amount_minor - chosen.amount_minor
            yield Difference(Cause.STATEMENT_CONFLICT, account_id, above, entry.through, entry.through)


def _reversals(account_id: UUID, entries: Sequence[Entry], today: date) -> Iterator[Difference]:
    for entry in pending_reversals(entries):
        if entry.booked_at.date() + PAYMENT_KNOWN_WITHIN <= today:
            yield _of_line(Cause.REVERSAL_PENDING, account_id, entry, entry.amount_minor)
    for payment in paid_by_reference(entries).values():
        if (left := left_of(payment, entries)) < 0:
            yield _of_line(Cause.REVERSAL_TOO_LARGE, account_id, payment, -left)


def _of_line(cause: Cause, account_id: UUID, entry: Entry, amount_minor: int) -> Difference:
    references = (entry.reference,) if entry.reference else ()
    return Difference(cause, account_id, amount_minor, entry.posted_on, entry.posted_on, references)


def _reopenings(account_id: UUID, entries: Sequence[Entry], terms: Terms) -> Iterator[Difference]:
    for entry in life(entries, term_ends=terms.term_ends).too_late:
        yield _of_line(Cause.REOPENED_TOO_LATE, account_id, entry, entry.amount_minor)


def _cash(receipt: Receipt, today: date, terms: Terms) -> Iterator[Difference]:
    first, still_open = receipt.cash[0], receipt.open_cash()
    name = (receipt.number,)
    if receipt.lines and not still_open and receipt.confirmed_minor != receipt.taken_minor:
        amount = receipt.taken_minor - receipt.confirmed_minor
        yield Difference(Cause.CASH_DIFFERENCE, first.account_id, amount, first.value_date, first.value_date, name)
    for entry in still_open:
        until = add_business_days(terms.country, terms.region, entry.value_date, CASH_CONFIRMED_WITHIN_DAYS)
        if today > until:
            days = (entry.value_date, until)
            yield Difference(Cause.CASH_UNCONFIRMED, entry.account_id, -entry.amount_minor, *days, name)
