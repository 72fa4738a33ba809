"""An entry of an account: a statement of the lender, a movement of money, cash of the door, or a fact of its life.

Entries are only added, never changed. Amounts are signed minor units: a payment is negative, a charge positive.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    STATEMENT = "STATEMENT"
    PAYMENT = "PAYMENT"
    REVERSAL = "REVERSAL"
    CASH = "CASH"
    CASH_CONFIRMED = "CASH_CONFIRMED"
    CASH_VOIDED = "CASH_VOIDED"
    CASH_DEPOSITED = "CASH_DEPOSITED"
    CHARGE = "CHARGE"
    WAIVER = "WAIVER"
    ADJUSTMENT = "ADJUSTMENT"
    POSTED = "POSTED"
    MATCH = "MATCH"
    CLOSING = "CLOSING"
    RECALL = "RECALL"
    RETURN = "RETURN"
    REOPENING = "REOPENING"


# A lender's line that brings money in. CASH_CONFIRMED is one that names a receipt of ours.
PAID = frozenset({Kind.PAYMENT, Kind.CASH_CONFIRMED})
MOVEMENTS = PAID | {Kind.REVERSAL, Kind.CHARGE, Kind.WAIVER, Kind.ADJUSTMENT}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `value_date`: from when the debtor is credited; of a statement, the day of its figures. `posted_on`:
    the lender's book day; of a statement, the last day whose postings are in it (`through`). `assumed`: the lender did
    not name this book day. `refers_to`: the reference of the payment that a REVERSAL, POSTED or MATCH is about."""

    id: UUID
    account_id: UUID
    seq: int
    kind: Kind
    amount_minor: int
    currency: str
    value_date: date
    posted_on: date
    assumed: bool
    booked_at: datetime
    source: str
    reference: str | None = None
    original_value_date: date | None = None
    components: Mapping[str, int] | None = None
    receipt_number: str | None = None
    refers_to: str | None = None
    issue: int | None = None
    days_past_due: int | None = None

    @property
    def through(self) -> date:
        """Of a statement: the last day whose postings are in it."""
        return self.posted_on


def of_kind(entries: Iterable[Entry], *kinds: Kind) -> list[Entry]:
    return [entry for entry in entries if entry.kind in kinds]


def paid_by_reference(entries: Iterable[Entry]) -> dict[str, Entry]:
    """An account's payments by the lender's reference."""
    return {entry.reference: entry for entry in entries if entry.kind in PAID and entry.reference is not None}


def one_currency(entries: Sequence[Entry]) -> str:
    """The currency of an account's entries. Raises ValueError for two: sums never mix them."""
    currencies = {entry.currency for entry in entries}
    if len(currencies) != 1:
        raise ValueError("the entries of an account have one currency")
    return currencies.pop()
