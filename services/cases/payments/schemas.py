"""Bodies and replies about payments."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.cases.ledger.domain.lines import LineKind
from shared.bodies import AMOUNT_DIGITS_MAX, AmountBody, Body
from shared.law import StatedDay

BATCH_MAX = 1_000
Component = Literal["principal", "interest", "fees", "costs"]
ComponentAmount = Annotated[Decimal, Field(max_digits=AMOUNT_DIGITS_MAX)]
Reference = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]{1,64}$")]


class PaymentBody(Body):
    """`reference` is the lender's own and makes the line count once on its account. `received_on` is the value date,
    `posted_on` the lender's book day. A receipt number confirms cash of the door. A REVERSAL names its payment in
    `reverses`, and that payment's value date in `original_value_date`. `components` say what the amount is made of, in
    its currency; they add up to it."""

    reference: Reference
    account_ref: Reference
    amount: AmountBody
    received_on: StatedDay
    posted_on: StatedDay | None = None
    kind: LineKind = LineKind.PAYMENT
    reverses: Reference | None = None
    original_value_date: StatedDay | None = None
    receipt_number: Reference | None = None
    components: dict[Component, ComponentAmount] | None = None


class PaymentsBody(Body):
    payments: Annotated[list[PaymentBody], Field(max_length=BATCH_MAX)]


class PaymentResult(BaseModel):
    reference: str
    result: Literal["ACCEPTED", "CONFIRMED", "DUPLICATE", "PENDING", "UNMATCHED", "REVIEW", "REJECTED"]
    code: str | None = None
    message: str | None = None


class PaymentsView(BaseModel):
    """What became of each line, in the order sent."""

    items: list[PaymentResult]


class PostLineBody(Body):
    """The account, by the lender's reference, that an UNMATCHED line is for. A line in REVIEW has its own."""

    account_ref: Reference | None = None


class SetAsideView(BaseModel):
    """A line as the lender sent it. `why`: UNMATCHED (no such account here) or REVIEW (far above the debt).
    `account_id`: where a person posted it."""

    id: UUID
    lender_id: str
    account_ref: str
    reference: str
    why: Literal["UNMATCHED", "REVIEW"]
    status: Literal["OPEN", "POSTED", "RETURNED"]
    line: dict[str, Any]
    received_at: datetime
    account_id: UUID | None
    settled_by: str | None
    settled_at: datetime | None
