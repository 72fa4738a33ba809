"""Versions of rule packs that were uploaded. A version is never edited; a mistake is mended by the next one."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Text, UniqueConstraint
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime
from shared.tenants import owned


class PackVersionRow(VisitsTable, table=True):
    """`differences` to the version in force when it was uploaded, in words, by language."""

    __tablename__ = "rule_pack_version"
    __table_args__ = (
        UniqueConstraint("pack", "pack_version"),
        owned(tenant=None, because="The law is the same for all."),
    )

    id: UUID = Field(primary_key=True)
    pack: str
    pack_version: str
    digest: str
    yaml: str = Field(sa_type=Text)
    effective_from: date
    status: str
    differences: dict[str, list[str]] = Field(sa_column=Column(JSON, nullable=False))
    uploaded_by: str
    uploaded_at: datetime = Field(sa_type=UtcTime)
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)
    version: int = Field(sa_type=BigInteger)
