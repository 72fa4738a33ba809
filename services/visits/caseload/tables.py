"""One row a case: what gate and planner must know of it, kept up to date by events that may come in any order."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime


class CaseloadRow(VisitsTable, table=True):
    """`opened` is false while only other topics have told of the case. Its lock orders all events of the case here."""

    __tablename__ = "caseload"

    id: UUID = Field(primary_key=True)
    lender_id: str | None = None
    opened: bool = False
    jurisdiction: str = ""
    country: str = ""
    time_zone: str = ""
    product: str = ""
    currency: str = ""
    balance_minor: int = Field(default=0, sa_type=BigInteger)
    days_past_due: int = 0
    prior_notice_at: datetime | None = Field(default=None, sa_type=UtcTime)
    address_verified: bool | None = None
    hazard: bool | None = None
    holds: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    active_promises: list[str] = Field(sa_column=Column(JSON, nullable=False))
    contact_visits: list[str] = Field(sa_column=Column(JSON, nullable=False))
    wanted: bool = Field(default=False, index=True)
    purpose: str = "DEMAND"
    not_before: date | None = None
