"""Holds."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Self
from uuid import UUID

from sqlmodel import Field

from services.cases.base import CasesTable
from services.cases.holds.domain import Hold
from shared.database import UtcTime
from shared.tenants import owned


class HoldRow(CasesTable, table=True):
    __tablename__ = "hold"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    reason: str
    scope: str
    review_on: date
    placed_by: str
    placed_at: datetime = Field(sa_type=UtcTime)
    released_by: str | None = None
    released_at: datetime | None = Field(default=None, sa_type=UtcTime)

    @classmethod
    def of(cls, hold: Hold) -> Self:
        return cls(**asdict(hold))

    @property
    def state(self) -> Hold:
        return Hold(**self.model_dump())

    def become(self, hold: Hold) -> None:
        """Take a hold's new state."""
        self.sqlmodel_update(asdict(hold))
