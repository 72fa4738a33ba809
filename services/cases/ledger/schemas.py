"""Replies about the books."""

from datetime import date
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
