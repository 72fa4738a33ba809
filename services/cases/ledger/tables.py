"""Payments. A lender's line counts once by its reference; cash counts once by its receipt number."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class PaymentRow(CasesTable, table=True):
    """`reference` is null, as is `confirmed_at`, while only the collector's receipt is known."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("lender_id", "reference"),
        UniqueConstraint("lender_id", "receipt_number"),
        owned(tenant="lender_id"),
    )

    id: UUID = Field(primary_key=True)
    lender_id: str
    case_id: UUID = Field(index=True)
    reference: str | None = None
    receipt_number: str | None = None
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    received_on: date
    recorded_at: datetime = Field(sa_type=UtcTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcTime)
