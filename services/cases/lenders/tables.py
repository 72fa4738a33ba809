"""Lenders, the versions of their feed profiles, and what they have recorded about us."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned
from shared.versions.tables import VersionColumns, unique_versions


class LenderRow(CasesTable, table=True):
    __tablename__ = "lender"
    __table_args__ = owned(tenant="id")

    id: str = Field(primary_key=True)
    name: str
    created_at: datetime = Field(sa_type=UtcTime)


class FeedProfileRow(VersionColumns, CasesTable, table=True):
    """`content` is the profile as JSON. `first_placement_id` is the first file that was received under it."""

    __tablename__ = "feed_profile_version"
    __table_args__ = (*unique_versions(), owned(tenant="document"))

    document: str = Field(foreign_key="lender.id")
    first_used_at: datetime | None = Field(default=None, sa_type=UtcTime)
    first_placement_id: UUID | None = None


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
