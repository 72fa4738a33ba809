"""Accounts: the debts in a case."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class OpenAccount:
    """An account to open in a case. Its balance is in minor units of the case's currency."""

    case_id: UUID
    lender_id: str
    account_ref: str
    product: str
    balance_minor: int
    days_past_due: int
