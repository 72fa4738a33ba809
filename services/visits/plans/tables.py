"""Day plans: what was asked for, and what came of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime


class DayPlanRow(VisitsTable, table=True):
    """REQUESTED → PUBLISHED or FAILED. A plan that was cut off in the middle is made again from its request."""

    __tablename__ = "day_plan"

    id: UUID = Field(primary_key=True)
    day: date
    status: str = Field(index=True)
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    asked_by: str
    asked_at: datetime = Field(sa_type=UtcTime)
    visits: int = 0
    teams: int = 0
    metres: int = Field(default=0, sa_type=BigInteger)
    left_out: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    problem: str | None = None
    version: int = Field(sa_type=BigInteger)


class LeftOutRow(VisitsTable, table=True):
    """Why a wanted case is not on a plan."""

    __tablename__ = "left_out"

    plan_id: UUID = Field(primary_key=True, foreign_key="day_plan.id")
    case_id: UUID = Field(primary_key=True)
    reason: str
    decision_id: UUID | None = None
