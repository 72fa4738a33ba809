"""Lines of lenders that wait for a person: no account is known for them, or their amount cannot be meant."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class SetAsideRow(CasesTable, table=True):
    """A line as the lender sent it (`line`), in no book yet. `account_id`: where a person posted it."""

    __tablename__ = "line_set_aside"
    __table_args__ = (
        UniqueConstraint("lender_id", "account_ref", "reference"),
        Index("ix_line_set_aside_lender_id_id", "lender_id", "id"),
        owned(tenant="lender_id"),
    )

    id: UUID = Field(primary_key=True)
    lender_id: str
    account_ref: str
    reference: str
    why: str
    status: str
    line: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    received_at: datetime = Field(sa_type=UtcTime)
    account_id: UUID | None = None
    settled_by: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=UtcTime)
