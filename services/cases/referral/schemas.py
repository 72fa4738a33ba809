"""Replies about referrals."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class ReferralCount(BaseModel):
    rule_id: str
    count: int


class ReferralCounts(BaseModel):
    items: list[ReferralCount]


class ReferralView(BaseModel):
    id: UUID
    rule_id: str
    rule_version: str
    inputs: dict[str, Any]
    referred_at: datetime
