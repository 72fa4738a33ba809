"""Placements: a lender's file as it came, how far it was taken in, and what was refused."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class PlacementRow(CasesTable, table=True):
    """`notice` is the file's own proof that its debtors were told. `next_row` says how many rows of the file are done:
    it moves in the transaction that does them. `as_of` and `issue`: of which day the file is, and which of the
    corrected files of that day, where the lender says so."""

    __tablename__ = "placement"
    __table_args__ = (Index("ix_placement_newest", "lender_id", "id"), owned(tenant="lender_id"))

    id: UUID = Field(primary_key=True)
    lender_id: str
    sha256: str
    media_type: str
    profile_version: int
    bytes: int = Field(sa_type=BigInteger)
    status: str = Field(index=True)
    problem: str | None = None
    received_at: datetime = Field(sa_type=UtcTime)
    as_of: date | None = None
    issue: int | None = None
    control_rows: int | None = None
    control_balance_minor: int | None = Field(default=None, sa_type=BigInteger)
    notice: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    next_row: int = 0
    accepted: int = 0
    updated: int = 0
    rejected_by_code: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    accepted_minor: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class PlacementChunkRow(CasesTable, table=True):
    """A piece of the file, sealed: it holds personal data. Removed when the file is done."""

    __tablename__ = "placement_chunk"
    __table_args__ = owned(tenant_via="placement_id")

    placement_id: UUID = Field(primary_key=True, foreign_key="placement.id")
    number: int = Field(primary_key=True)
    sealed: bytes
