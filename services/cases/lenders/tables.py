"""Lenders and the versions of their feed profiles; a version is never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime


class LenderRow(CasesTable, table=True):
    __tablename__ = "lender"

    id: str = Field(primary_key=True)
    name: str
    profile_version: int = 0
    created_at: datetime = Field(sa_type=UtcTime)


class FeedProfileRow(CasesTable, table=True):
    __tablename__ = "feed_profile"

    lender_id: str = Field(primary_key=True, foreign_key="lender.id")
    version: int = Field(primary_key=True)
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcTime)
