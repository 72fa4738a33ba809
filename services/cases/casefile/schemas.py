"""What is shown of a case. No personal data: those are in the dossier."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from shared.events.values import Amount


class AccountView(BaseModel):
    account_ref: str
    product: str
    balance: Amount
    days_past_due: int


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
    id: UUID
    lender_id: str
    jurisdiction: str
    country: str
    time_zone: str
    product: str
    balance: Amount
    overpaid: Amount
    days_past_due: int
    bucket: str
    referred: bool
    holds: int
    opened_at: datetime
    accounts: list[AccountView]


class CaseFileView(CaseView):
    """One case with its history."""

    timeline: list[TimelineView]
