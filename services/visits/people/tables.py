"""Collectors and teams, with what was changed about them. Names, reasons and the values of changes are sealed; the
facts that the law asks for are not personal to a debtor."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime
from shared.tenants import owned


class CollectorRow(VisitsTable, table=True):
    """`statuses` holds each change of the status, with its time: an act is judged by the status of its time."""

    __tablename__ = "collector"
    __table_args__ = owned(tenant=None, because="Of our own people.")

    id: UUID = Field(primary_key=True)
    sealed_name: bytes
    status: str
    statuses: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    certificates: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    violent_crime_record: bool | None = None
    bad_credit: bool | None = None
    confidentiality_agreement: bool | None = None
    experience_recorded: bool | None = None
    last_assessed_on: date | None = None
    version: int = Field(sa_type=BigInteger)


class CollectorChangeRow(VisitsTable, table=True):
    """One change of what is known about a collector. `sealed_details` holds reason, old and new values."""

    __tablename__ = "collector_change"
    __table_args__ = owned(tenant=None, because="Of our own people.")

    id: UUID = Field(primary_key=True)
    collector_id: UUID = Field(foreign_key="collector.id", index=True)
    what: str
    fields: list[str] = Field(sa_column=Column(JSON, nullable=False))
    made_by: str
    made_at: datetime = Field(sa_type=UtcTime)
    sealed_details: bytes


class TeamRow(VisitsTable, table=True):
    __tablename__ = "team"
    __table_args__ = owned(tenant=None, because="Of our own people.")

    id: UUID = Field(primary_key=True)
    name: str
    version: int = Field(default=0, sa_type=BigInteger)


class TeamMembersRow(VisitsTable, table=True):
    """The members of a team from a day on, the lead first. Rows are only added; of two from one day the later one
    counts."""

    __tablename__ = "team_members"
    __table_args__ = owned(tenant=None, because="Of our own people.")

    id: UUID = Field(primary_key=True)
    team_id: UUID = Field(foreign_key="team.id", index=True)
    from_day: date
    collector_ids: list[str] = Field(sa_column=Column(JSON, nullable=False))
    made_by: str
    made_at: datetime = Field(sa_type=UtcTime)
    sealed_reason: bytes | None = None
