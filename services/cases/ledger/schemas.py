"""Replies about the books."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from shared.events.values import Amount


class CurrencyTotals(BaseModel):
    """received: all payments · outstanding: what is still owed · overpaid: paid beyond what was owed."""

    currency: str
    received: str
    outstanding: str
    overpaid: str
    payments: int


class TotalsView(BaseModel):
    items: list[CurrencyTotals]


class DifferenceView(BaseModel):
    """`amount`: how much the lender's figure is above ours (negative: below) on the day `until`, counted from `since`.
    `references`: the lender's lines or our receipts that it is about."""

    cause: str
    amount: Amount
    since: date
    until: date
    references: list[str]


class OpeningView(BaseModel):
    """What the books before the ledger said of the account's case, and why that is in doubt. It leaves the list with
    the lender's next statement."""

    causes: list[str]
    owed: Amount
    overpaid: Amount


class AccountDifferencesView(BaseModel):
    """What is not explained of one account."""

    account_id: UUID
    account_ref: str
    case_id: UUID
    lender_id: str
    items: list[DifferenceView]
    opening: OpeningView | None


class AccountStateView(BaseModel):
    """An account now. `balance` is negative where it is overpaid; `asked`: what may be asked of the debtor.
    `differences`: how many items of it are on the reconciliation list."""

    id: UUID
    account_ref: str
    case_id: UUID
    lender_id: str
    product: str
    state: str
    balance: Amount
    asked: Amount
    received: Amount
    payments: int
    days_past_due: int
    differences: int
    entries: int


class EntryView(BaseModel):
    """An entry of the books. `amount` is negative where it lowers the balance. `assumed`: the lender did not name the
    book day `posted_on`."""

    id: UUID
    account_id: UUID
    seq: int
    kind: str
    amount: Amount
    value_date: date
    posted_on: date
    assumed: bool
    booked_at: datetime
    source: str
    reference: str | None
    refers_to: str | None
    original_value_date: date | None
    receipt_number: str | None
    components: dict[str, str] | None
    issue: int | None
    days_past_due: int | None


class PartView(BaseModel):
    """What an entry adds to the balance and to what is asked, and why: COUNTS (the statement), STATEMENT_REPLACED,
    POSTED_AFTER (the statement cannot contain it), CONTAINED (its amount is in the statement), BOOK_DAY_IN_DOUBT (asked
    only where it lowers the sum), PAYMENT_UNKNOWN (a reversal that waits), CASH_OPEN, CASH_CONFIRMED, CASH_VOIDED.
    `posted_on` is the book day that counts."""

    entry: EntryView
    posted_on: date
    counted: Amount
    asked: Amount
    why: str


class BalanceView(BaseModel):
    """What the books said of an account at the end of a day. The parts add up to `balance`, and to `asked`.
    `in_doubt`: why `asked` differs, by the references of the lines whose book day is assumed."""

    account_id: UUID
    account_ref: str
    case_id: UUID
    on: date
    state: str
    days_past_due: int
    balance: Amount
    asked: Amount
    statement_through: date
    in_doubt: list[str]
    parts: list[PartView]


class PaymentView(EntryView):
    """A lender's line, or cash of the door."""

    account_ref: str
    case_id: UUID
