"""Bodies and replies about placements and balances."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.cases.payments.schemas import Component, ComponentAmount, Reference
from services.cases.placements.domain import DAYS_PAST_DUE_MAX
from shared.bodies import AmountBody, Body
from shared.events.values import Amount
from shared.law import StatedDay

ISSUE_MAX = 1_000_000
BALANCES_MAX = 1_000

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


class BalanceBody(Body):
    """What the lender states of an account it has placed: the balance on the day `as_of`, as its profile means that day
    (default: the day before it is sent). `issue`: the number of a correction of that day. `components` say what the
    balance is made of, in its currency; they add up to it."""

    account_ref: Reference
    balance: AmountBody
    days_past_due: Annotated[int, Field(ge=0, le=DAYS_PAST_DUE_MAX)]
    as_of: StatedDay | None = None
    issue: Annotated[int | None, Field(ge=1, le=ISSUE_MAX)] = None
    components: dict[Component, ComponentAmount] | None = None


class BalancesBody(Body):
    balances: Annotated[list[BalanceBody], Field(max_length=BALANCES_MAX)]


class BalanceResult(BaseModel):
    account_ref: str
    result: Literal["ACCEPTED", "DUPLICATE", "REJECTED"]
    code: str | None = None
    message: str | None = None


class BalancesView(BaseModel):
    """What became of each line, in the order sent."""

    items: list[BalanceResult]
