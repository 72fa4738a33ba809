"""How far the daily ageing of each lender's cases is."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class AgeingRow(CasesTable, table=True):
    """`after` is the last case that is aged for `day`; None before the first page. `next_at`: when there is work: at
    once while a day is under way, else when the lender's next day begins."""

    __tablename__ = "ageing"
    __table_args__ = owned(tenant="lender_id")

    lender_id: str = Field(primary_key=True, foreign_key="lender.id")
    day: date
    after: UUID | None = None
    next_at: datetime = Field(sa_type=UtcTime, index=True)
