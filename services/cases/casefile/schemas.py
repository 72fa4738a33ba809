"""What is shown of a case. No personal data: those are in the dossier."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from shared.events.values import Amount


class AccountView(BaseModel):
    """`balance` is negative where the account is overpaid. `asked`: what may be asked of the debtor; it is lower while
    the book day of a payment is in doubt."""

    account_ref: str
    product: str
    balance: Amount
    asked: Amount
    days_past_due: int
    state: str


class ReferralView(BaseModel):
    rule_id: str
    rule_version: str
    inputs: dict[str, Any]
    referred_at: datetime


class TimelineView(BaseModel):
    occurred_at: datetime
    type: str
    facts: dict[str, Any]


class CaseView(BaseModel):
    """`balance`: what is owed, `overpaid`: what was paid beyond it, `asked`: what may be asked of the debtor."""

    id: UUID
    lender_id: str
    jurisdiction: str
    country: str
    time_zone: str
    product: str
    balance: Amount
    overpaid: Amount
    asked: Amount
    days_past_due: int
    bucket: str
    open_accounts: int
    referred: bool
    holds: int
    opened_at: datetime
    accounts: list[AccountView]


class CaseFileView(CaseView):
    """One case with its history."""

    timeline: list[TimelineView]
