"""Day plans: what was asked for, what came of it, and how it changed since."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime
from shared.tenants import owned


class DayPlanRow(VisitsTable, table=True):
    """A plan is solved by the job of its id. `revision` is its ETag; `version` counts its events."""

    __tablename__ = "day_plan"
    __table_args__ = owned(tenant=None, because="A plan and its route mix the cases of all lenders.")

    id: UUID = Field(primary_key=True)
    day: date
    status: str = Field(index=True)
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    asked_by: str
    asked_at: datetime = Field(sa_type=UtcTime)
    replaces: UUID | None = None
    happened: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    revision: int = 0
    visits: int = 0
    teams: int = 0
    metres: int = Field(default=0, sa_type=BigInteger)
    cost: int | None = Field(default=None, sa_type=BigInteger)
    travel_source: str | None = None
    left_out: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    changes: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    problem: str | None = None
    basis_deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    version: int = Field(sa_type=BigInteger)


class PlanBasisRow(VisitsTable, table=True):
    """What a plan was made from, until seven days after its day: doors and teams in the clear (they hold
    ids and times), places and ways between them sealed by the plan's key in the vault. `routes` maps a team to the
    cases on its route, in order."""

    __tablename__ = "plan_basis"
    __table_args__ = owned(tenant=None, because="A plan and its route mix the cases of all lenders.")

    plan_id: UUID = Field(primary_key=True, foreign_key="day_plan.id")
    basis: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    routes: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    sealed_places: bytes


class LeftOutRow(VisitsTable, table=True):
    """Why a wanted case is not on a plan."""

    __tablename__ = "left_out"
    __table_args__ = owned(tenant_via="case_id", to="caseload.id")

    plan_id: UUID = Field(primary_key=True, foreign_key="day_plan.id")
    case_id: UUID = Field(primary_key=True)
    reason: str
    rule_id: str | None = None
    decision_id: UUID | None = None
    prize_seconds: int | None = None
    detour_seconds: int | None = None


class PlanRevisionRow(VisitsTable, table=True):
    """One change of a plan."""

    __tablename__ = "plan_revision"
    __table_args__ = owned(tenant=None, because="A plan and its route mix the cases of all lenders.")

    plan_id: UUID = Field(primary_key=True, foreign_key="day_plan.id")
    revision: int = Field(primary_key=True)
    what: str
    made_by: str
    made_at: datetime = Field(sa_type=UtcTime)
    changes: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
