"""What a balance is made of: the statement that counts, and of each other entry with an amount whether it counts, and
why. The parts add up to the balance, and to what is asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from uuid import UUID

from services.cases.ledger.domain.balance import movements, newest_statement, weigh
from services.cases.ledger.domain.cash import receipts
from services.cases.ledger.domain.entries import MOVEMENTS, Entry, Kind


class Why(StrEnum):
    """Why a part counts or not."""

    COUNTS = "COUNTS"  # the statement that counts
    STATEMENT_REPLACED = "STATEMENT_REPLACED"
    POSTED_AFTER = "POSTED_AFTER"  # the statement cannot contain it
    CONTAINED = "CONTAINED"  # posted by the statement's day: its amount is in the statement
    BOOK_DAY_IN_DOUBT = "BOOK_DAY_IN_DOUBT"  # the assumed book day is near the statement's day: asked only if it lowers
    PAYMENT_UNKNOWN = "PAYMENT_UNKNOWN"  # a reversal that waits for its payment
    CASH_OPEN = "CASH_OPEN"
    CASH_CONFIRMED = "CASH_CONFIRMED"  # the lender's line counts in its place
    CASH_VOIDED = "CASH_VOIDED"


@dataclass(frozen=True, slots=True)
class Part:
    """An entry, with what it adds to the balance and to what is asked, in minor units. `posted_on`: the book day that
    counts, which two persons may have settled."""

    entry: Entry
    posted_on: date
    counted_minor: int
    asked_minor: int
    why: Why


def parts(account_id: UUID, accounts: Mapping[UUID, Sequence[Entry]]) -> list[Part]:
    """The parts of an account's balance in the order in which they were stored, from the entries of its whole case."""
    entries = accounts[account_id]
    found = {
        part.entry.id: part for part in (*_statements(entries), *_movements(entries), *_cash(account_id, accounts))
    }
    return [found[entry.id] for entry in entries if entry.id in found]


def known_on(day: date, zone: tzinfo, accounts: Mapping[UUID, Sequence[Entry]]) -> dict[UUID, list[Entry]]:
    """The entries that were stored by the end of a day in this zone; accounts that had none are left out."""
    found = {
        account_id: [entry for entry in entries if entry.booked_at.astimezone(zone).date() <= day]
        for account_id, entries in accounts.items()
    }
    return {account_id: entries for account_id, entries in found.items() if entries}


def _statements(entries: Sequence[Entry]) -> Iterator[Part]:
    newest = newest_statement(entries)
    for entry in entries:
        if entry is newest:
            yield Part(entry, entry.posted_on, entry.amount_minor, entry.amount_minor, Why.COUNTS)
        elif entry.kind is Kind.STATEMENT:
            yield Part(entry, entry.posted_on, 0, 0, Why.STATEMENT_REPLACED)


def _movements(entries: Sequence[Entry]) -> Iterator[Part]:
    """Movements that count come last: they take the place of what the first loop says of all."""
    for entry in entries:
        if entry.kind in MOVEMENTS:
            yield Part(entry, entry.posted_on, 0, 0, Why.PAYMENT_UNKNOWN)
    statement = newest_statement(entries)
    for each in movements(entries):
        counted, asked = weigh(each, statement)
        why = Why.POSTED_AFTER if each.posted_on > statement.through else Why.CONTAINED
        yield Part(each.entry, each.posted_on, counted, asked, why if counted == asked else Why.BOOK_DAY_IN_DOUBT)


def _cash(account_id: UUID, accounts: Mapping[UUID, Sequence[Entry]]) -> Iterator[Part]:
    for receipt in receipts(accounts):
        still_open = receipt.open_cash()
        ended = Why.CASH_VOIDED if receipt.voided else Why.CASH_CONFIRMED
        for entry in receipt.cash:
            if entry.account_id == account_id:
                amount = entry.amount_minor if entry in still_open else 0
                yield Part(entry, entry.posted_on, amount, amount, Why.CASH_OPEN if entry in still_open else ended)
