"""Values that several events carry. Facts and our own random ids only: never a name, phone, address or free text."""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from shared.money import Money, plain


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


PRODUCT_CODE = r"^[A-Z_]{2,40}$"
OTHER_PRODUCT = "OTHER"


def product_or_other(value: object) -> object:
    """A product's code as it is, and OTHER for free text. Earlier releases published cells of files as products: who
    reads such an event again gets no text."""
    return OTHER_PRODUCT if isinstance(value, str) and not re.fullmatch(PRODUCT_CODE, value) else value


Product = Annotated[str, BeforeValidator(product_or_other)]
WireDecimal = Annotated[Decimal, PlainSerializer(plain, return_type=str)]


class Amount(Value):
    """Money on the wire: {"amount": "1250.00", "currency": "TWD"}."""

    amount: WireDecimal
    currency: str

    @classmethod
    def of(cls, money: Money) -> Self:
        return cls(amount=money.amount, currency=money.currency)

    @property
    def money(self) -> Money:
        """The amount as money. Raises NotMoney where it is none."""
        return Money.parse(self.amount, self.currency)


class Instalment(Value):
    """One part of a promise: so much, until the end of this day in the debtor's time zone."""

    due_on: date
    amount: Amount


class AgreedWindow(Value):
    """A time of a weekday that suits the debtor, by the clock of the address."""

    weekday: int
    opens_at: time
    closes_at: time


class Cash(Value):
    """Cash taken at the door, against a numbered receipt."""

    receipt_number: str
    amount: Amount


class EvidenceDigest(Value):
    """A file taken on the visit: the SHA-256 (hex) of its bytes, its type and its size in bytes."""

    digest: str
    media_type: str
    size_bytes: int


class CheckIn(Value):
    """One collector's arrival: the phone's time, `at` where its clock is known to be wrong, and how far from the
    address the phone believed to be (metres)."""

    collector_id: UUID
    device_time: AwareDatetime
    at: AwareDatetime | None = None
    clock_error_seconds: int | None = None
    distance_m: int | None = None
    accuracy_m: int | None = None
    mock_location: bool | None = None
    flags: list[str] | None = None
    entered_by: str | None = None
    entry_reason: str | None = None


class ReportedTimes(Value):
    """How the times of a report were reported: as the phone said them, and why the event may hold others."""

    said: dict[str, AwareDatetime]
    clock_error_seconds: int | None = None
    flags: list[str] | None = None
    entered_by: str | None = None
    entry_reason: str | None = None
