"""Accounts to open, and what a lender states of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

AsOfMeans = Literal["END_OF_DAY", "START_OF_DAY"]


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account to open in a case."""

    case_id: UUID
    lender_id: str
    account_ref: str
    product: str
    currency: str


@dataclass(frozen=True, slots=True)
class StatementDays:
    """Of which day the figures are (`value_date`), and the last day whose postings are in them (`through`)."""

    value_date: date
    through: date
    assumed: bool


@dataclass(frozen=True, slots=True)
class Stated:
    """What the lender states of an account: minor units of its currency, and days past due."""

    amount_minor: int
    days_past_due: int
    days: StatementDays
    source: str
    issue: int | None = None
    components: Mapping[str, int] | None = None


def statement_days(as_of: date | None, means: AsOfMeans, received_on: date) -> StatementDays:
    """The days of a statement. Without `as_of` it goes through the lender's day before it came, which is assumed."""
    if as_of is None:
        return StatementDays(received_on, received_on - timedelta(days=1), assumed=True)
    through = as_of if means == "END_OF_DAY" else as_of - timedelta(days=1)
    return StatementDays(as_of, through, assumed=False)
