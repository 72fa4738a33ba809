"""Holds."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Self
from uuid import UUID

from sqlmodel import Field

from services.cases.base import CasesTable
from services.cases.holds.domain import Hold
from shared.database import UtcTime
from shared.sealing import Place
from shared.tenants import owned

WHY = "reason"
"""The class of the keys that seal why a hold was released: that of the reasons of approvals (shared/approvals.py)."""


class HoldRow(CasesTable, table=True):
    """`sealed_why`: why it was released; absent where a complaint's answer released it, and in older rows."""

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
    complaint_id: UUID | None = None
    sealed_why: bytes | None = None

    @classmethod
    def of(cls, hold: Hold) -> Self:
        return cls(**asdict(hold))

    @property
    def keys(self) -> str:
        """The subject of the keys that seal why it was released."""
        return f"case/{self.case_id}"

    @property
    def place_of_why(self) -> Place:
        return Place("hold", "sealed_why", (self.id,))

    @property
    def state(self) -> Hold:
        return Hold(**self.model_dump(exclude={"sealed_why"}))

    def become(self, hold: Hold) -> None:
        """Take a hold's new state."""
        self.sqlmodel_update(asdict(hold))
