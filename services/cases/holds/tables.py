"""Holds."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime


class HoldRow(CasesTable, table=True):
    __tablename__ = "hold"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    reason: str
    scope: str
    review_on: date
    placed_by: str
    placed_at: datetime = Field(sa_type=UtcTime)
    released_by: str | None = None
    released_at: datetime | None = Field(default=None, sa_type=UtcTime)
