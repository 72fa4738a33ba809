"""Bodies and replies about payments."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.bodies import AmountBody, Body
from shared.law import StatedDay

BATCH_MAX = 1_000
Reference = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]{1,64}$")]


class PaymentBody(Body):
    """`reference` is the lender's own and makes the line count once. A receipt number confirms cash of the door."""

    reference: Reference
    account_ref: Reference
    amount: AmountBody
    received_on: StatedDay
    receipt_number: Reference | None = None


class PaymentsBody(Body):
    payments: Annotated[list[PaymentBody], Field(max_length=BATCH_MAX)]


class PaymentResult(BaseModel):
    reference: str
    result: Literal["ACCEPTED", "CONFIRMED", "DUPLICATE", "REJECTED"]
    code: str | None = None
    message: str | None = None


class PaymentsView(BaseModel):
    """What became of each line, in the order sent."""

    items: list[PaymentResult]


class CurrencyTotals(BaseModel):
    """received: all payments · outstanding: what is still owed · overpaid: paid beyond what was owed."""

    currency: str
    received: str
    outstanding: str
    overpaid: str
    payments: int


class TotalsView(BaseModel):
    items: list[CurrencyTotals]
