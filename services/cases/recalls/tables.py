"""Accounts that lenders took back: who said so, when, and why."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class RecallRow(CasesTable, table=True):
    """`recalled_on`: the lender's day from which the account is no longer placed with us."""

    __tablename__ = "recall"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    lender_id: str = Field(index=True)
    account_id: UUID
    case_id: UUID = Field(index=True)
    reason: str
    recalled_on: date
    recalled_by: str
    recalled_at: datetime = Field(sa_type=UtcTime)
