"""One row a case: what gate and planner must know of it, kept up to date by events that may come in any order."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime
from shared.tenants import owned


class CaseloadRow(VisitsTable, table=True):
    """`opened` is false while only other topics have told of the case. Its lock orders all events of the case here.

    `holds` maps an id to reason, scope, `from` and `until`, promises among them: an act is judged by those of its time.
    Older rows have holds without times, and `active_promises`: they count always. `notices` maps a kind to the times at
    which it was sent; `consents`, `grounds` and `quiet_periods` map an id to what was recorded under it; `preference`
    is the newest one, or empty. `other_visits` are the contact visits of the same person's other cases, at whatever
    lender. `closed_at`: since then nothing is demanded. `wanted_by`: the promise that the wanted visit follows from.
    `unsafe_since`: a visit to the person was broken off as unsafe then; only a newer safety plan lifts that."""

    __tablename__ = "caseload"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    lender_id: str | None = None
    person_ref: str | None = Field(default=None, index=True)
    opened: bool = False
    jurisdiction: str = ""
    country: str = ""
    time_zone: str = ""
    product: str = ""
    currency: str = ""
    balance_minor: int = Field(default=0, sa_type=BigInteger)
    days_past_due: int = 0
    region: str | None = None
    transferred: bool | None = None
    notices: dict[str, list[str]] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    address_verified: bool | None = None
    hazard: bool | None = None
    place_type: str = "HOME"
    holds: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    consents: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    grounds: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    quiet_periods: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    preference: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    active_promises: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    contact_visits: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    other_visits: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    asked_to_leave: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    first_contact_at: datetime | None = Field(default=None, sa_type=UtcTime)
    last_visit_at: datetime | None = Field(default=None, sa_type=UtcTime)
    unsafe_since: datetime | None = Field(default=None, sa_type=UtcTime)
    wanted: bool = Field(default=False, index=True)
    purpose: str = "DEMAND"
    wanted_by: UUID | None = None
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    not_before: date | None = None


class LenderAgencyRow(VisitsTable, table=True):
    """What a lender has recorded about us, its agent, as cases published it last. None is unknown."""

    __tablename__ = "lender_agency"
    __table_args__ = owned(tenant="lender_id")

    lender_id: str = Field(primary_key=True)
    changed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    reviewed_on: date | None = None
    listed: bool | None = None
