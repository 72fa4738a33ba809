"""Debtors: the one place for personal data, sealed by a key of the debtor's own in the vault."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class DebtorRow(CasesTable, table=True):
    """`ref_digest` finds a debtor again without storing the lender's reference in the clear."""

    __tablename__ = "debtor"
    __table_args__ = (UniqueConstraint("lender_id", "ref_digest"), owned(tenant="lender_id"))

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str
    ref_digest: bytes
    sealed_identity: bytes


class AddressRow(CasesTable, table=True):
    """A sealed address with its position, and whether it was checked."""

    __tablename__ = "address"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    debtor_id: UUID = Field(foreign_key="debtor.id")
    sealed: bytes
    verified: bool | None = None
    hazard: bool | None = None
    method: str | None = None
    place_type: str | None = None
    checked_at: datetime | None = Field(default=None, sa_type=UtcTime)


class NoticeRow(CasesTable, table=True):
    __tablename__ = "notice"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    kind: str
    channel: str
    sent_at: datetime = Field(sa_type=UtcTime)
    proof_digest: str


class AssignmentRow(CasesTable, table=True):
    """Who visits a debtor, while the visit is open. A projection: `doorstep bus rebuild cases assignments` makes it
    again. Rows of the release before know neither time nor purpose; they open no dossier."""

    __tablename__ = "assignment"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    visit_id: UUID = Field(primary_key=True)
    collector_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    window_start: datetime | None = Field(default=None, sa_type=UtcTime)
    purpose: str | None = None
    dispatched: bool


class DutyRow(CasesTable, table=True):
    """The status of a collector, as visits published it last, by the version of that event. A projection: `doorstep bus
    rebuild cases duties` makes it again."""

    __tablename__ = "collector_duty"
    __table_args__ = owned(tenant=None, because="Our own people, of no lender.")

    collector_id: UUID = Field(primary_key=True)
    status: str
    version: int = Field(sa_type=BigInteger)
