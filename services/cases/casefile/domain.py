"""The case: its bucket follows from days past due; what it owes, the ledger says."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.money import AMOUNT_MINOR_MAX

BUCKET_DAYS = 30
BUCKETS = 7


class ReopenCause(StrEnum):
    """What changed the books of a case that is opened again: a line, or new figures of the lender."""

    MONEY = "MONEY"
    STATEMENT = "STATEMENT"


@dataclass(frozen=True)
class OpenCase:
    """A case to open. The balance (minor units) and the count are those of its first accounts together, the days past
    due are the greatest of them."""

    id: UUID
    lender_id: str
    debtor_id: UUID
    placement_id: UUID
    jurisdiction: str
    country: str
    region: str | None
    transferred: bool | None
    time_zone: str
    product: str
    currency: str
    balance_minor: int
    days_past_due: int
    accounts: int
    prior_notice_at: datetime | None


def bucket_of(days_past_due: int) -> str:
    """M1 for 1–30 days past due, M2 for 31–60, … M7+ for more than 180."""
    number = max(1, -(-days_past_due // BUCKET_DAYS))
    return f"M{number}" if number < BUCKETS else f"M{BUCKETS}+"


def can_owe(balance_minor: int) -> bool:
    """Whether a case can owe so much: all its accounts together stay an amount that can be sent and stored."""
    return balance_minor <= AMOUNT_MINOR_MAX
