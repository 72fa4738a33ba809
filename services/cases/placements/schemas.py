"""Replies about placements."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from shared.events.values import Amount

Status = Literal["RECEIVED", "PROCESSING", "DONE", "REFUSED"]


class Control(BaseModel):
    """Whether the totals that the lender announced are those of the file. Null: none was announced."""

    rows_match: bool | None
    balance_match: bool | None


class PlacementView(BaseModel):
    """accepted + rejected = received. `updated` are those of the accepted that were known already."""

    id: UUID
    lender_id: str
    status: Status
    problem: str | None
    received_at: datetime
    profile_version: int
    received: int
    accepted: int
    updated: int
    rejected: int
    rejected_by_code: dict[str, int]
    accepted_balance: list[Amount]
    control: Control


class RowErrorView(BaseModel):
    line: int
    field: str
    code: str
    message: str
