"""A visit and its life; what is personal in it is sealed, in a table of its own."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime
from shared.tenants import owned


class VisitRow(VisitsTable, table=True):
    """`check_ins` maps a collector to what the phone said on arrival; `record` is the report in codes, as it was said,
    with `reported` about its times and `supplements`. `day_ends_at` is the end of the local day, of
    a later day once late evidence arrives; `missed_status` where
    a missed visit stood then; `overdue_since` is set while the record of a visit that began is due."""

    __tablename__ = "visit"
    __table_args__ = (Index("ix_visit_status_day_ends_at", "status", "day_ends_at"), owned(tenant="lender_id"))

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str
    plan_id: UUID = Field(index=True)
    team_id: UUID = Field(index=True)
    collector_ids: list[str] = Field(sa_column=Column(JSON, nullable=False))
    day: date
    place_in_route: int
    status: str = Field(index=True)
    purpose: str
    time_zone: str
    window_start: datetime = Field(sa_type=UtcTime)
    window_end: datetime = Field(sa_type=UtcTime)
    check_ins: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    disposition: str | None = None
    person_met: str | None = None
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    record_incomplete: bool = False
    day_ends_at: datetime | None = Field(default=None, sa_type=UtcTime)
    dispatched_at: datetime | None = Field(default=None, sa_type=UtcTime)
    missed_reason: str | None = None
    missed_status: str | None = None
    overdue_since: datetime | None = Field(default=None, sa_type=UtcTime)
    version: int = Field(sa_type=BigInteger)

    @property
    def team(self) -> list[UUID]:
        """The collectors of the visit, the lead first."""
        return [UUID(ref) for ref in self.collector_ids]


class VisitSecretRow(VisitsTable, table=True):
    """Sealed by the visit's key in the vault: the planned position, and what the debtor said."""

    __tablename__ = "visit_secret"
    __table_args__ = owned(tenant_via="visit_id")

    visit_id: UUID = Field(primary_key=True, foreign_key="visit.id")
    sealed_position: bytes
    sealed_statement: bytes | None = None


class UnknownFieldsRow(VisitsTable, table=True):
    """What a phone reported in fields that this service does not know, sealed by the visit's key."""

    __tablename__ = "visit_unknown_fields"
    __table_args__ = owned(tenant_via="visit_id")

    visit_id: UUID = Field(primary_key=True, foreign_key="visit.id")
    report: str = Field(primary_key=True)
    sent_by: str = Field(primary_key=True)
    received_at: datetime = Field(sa_type=UtcTime)
    sealed_fields: bytes


class ReceiptRow(VisitsTable, table=True):
    """A receipt number is given once at a lender."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("lender_id", "receipt_number"), owned(tenant="lender_id"))

    visit_id: UUID = Field(primary_key=True, foreign_key="visit.id")
    lender_id: str
    receipt_number: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
