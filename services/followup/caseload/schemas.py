"""Replies about followed cases."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel

from shared.events.values import Amount


class ReversalView(BaseModel):
    """Money that was taken back. `received_on` is the value date of the payment; `payment_id` is null while the payment
    is unknown."""

    reversal_id: UUID
    account_id: UUID
    payment_id: UUID | None
    amount: Amount
    received_on: date
    provisional: bool


class FollowedCaseView(BaseModel):
    """A case as followup knows it from the events of cases."""

    case_id: UUID
    jurisdiction: str
    country: str
    region: str | None
    time_zone: str
    currency: str | None
    reversals: list[ReversalView]
