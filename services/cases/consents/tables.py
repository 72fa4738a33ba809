"""Consents, days of quiet, and the preferences of debtors about contact; of these the newest holds."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class ConsentRow(CasesTable, table=True):
    __tablename__ = "consent"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    scope: str
    channel: str
    given_at: datetime = Field(sa_type=UtcTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcTime)
    proof_digest: str
    recorded_by: str
    recorded_at: datetime = Field(sa_type=UtcTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)
    withdrawn_by: str | None = None


class PreferenceRow(CasesTable, table=True):
    """One a case; `version` counts what was said so far."""

    __tablename__ = "contact_preference"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    case_id: UUID = Field(primary_key=True)
    id: UUID
    channels: list[str] = Field(sa_column=Column(JSON, nullable=False))
    windows: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    inconvenient_places: list[str] = Field(sa_column=Column(JSON, nullable=False))
    employer_forbids: bool = False
    recorded_by: str
    recorded_at: datetime = Field(sa_type=UtcTime)
    version: int = Field(sa_type=BigInteger)


class QuietPeriodRow(CasesTable, table=True):
    """Days on which nobody asks the debtor to pay, both included."""

    __tablename__ = "quiet_period"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    reason: str
    first_day: date
    last_day: date | None = None
    proof_digest: str
    recorded_by: str
    recorded_at: datetime = Field(sa_type=UtcTime)
