"""Lenders and the versions of their feed profiles; a version is never changed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class LenderRow(CasesTable, table=True):
    __tablename__ = "lender"
    __table_args__ = owned(tenant="id")

    id: str = Field(primary_key=True)
    name: str
    profile_version: int = 0
    created_at: datetime = Field(sa_type=UtcTime)


class FeedProfileRow(CasesTable, table=True):
    __tablename__ = "feed_profile"
    __table_args__ = owned(tenant="lender_id")

    lender_id: str = Field(primary_key=True, foreign_key="lender.id")
    version: int = Field(primary_key=True)
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcTime)


class LenderAgencyRow(CasesTable, table=True):
    """What a lender has recorded about us, its agent: None is unknown. `id` is the key of its events."""

    __tablename__ = "lender_agency"
    __table_args__ = owned(tenant="lender_id")

    lender_id: str = Field(primary_key=True, foreign_key="lender.id")
    id: UUID
    changed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    reviewed_on: date | None = None
    listed: bool | None = None
    version: int = Field(sa_type=BigInteger)
