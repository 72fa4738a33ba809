"""The case: the unit of work. Its row is the ordering key of all its events."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.cases.base import CasesTable
from services.cases.ledger.domain.standing import Phase
from shared.database import UtcTime
from shared.tenants import owned


class CaseRow(CasesTable, table=True):
    """`balance_minor` is what is owed. The sums and `phase` are those of its accounts: the ledger derives them.
    `phase_at`: since when; None from the start."""

    __tablename__ = "case_file"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    lender_id: str = Field(index=True)
    debtor_id: UUID
    placement_id: UUID = Field(index=True)
    jurisdiction: str
    country: str
    region: str | None = None
    transferred: bool | None = None
    time_zone: str
    product: str
    currency: str
    balance_minor: int = Field(sa_type=BigInteger)
    overpaid_minor: int = Field(default=0, sa_type=BigInteger)
    asked_minor: int = Field(sa_type=BigInteger)
    days_past_due: int
    bucket: str
    accounts: int
    open_accounts: int
    phase: str = Phase.OPEN
    phase_at: datetime | None = Field(default=None, sa_type=UtcTime)
    attempts_without_contact: int = 0
    refusals: int = 0
    referred: bool = Field(default=False, index=True)
    holds: int = 0
    prior_notice_at: datetime | None = Field(default=None, sa_type=UtcTime)
    first_contact_at: datetime | None = Field(default=None, sa_type=UtcTime)
    opened_at: datetime = Field(sa_type=UtcTime)
    version: int = Field(sa_type=BigInteger)


class TimelineRow(CasesTable, table=True):
    """What happened to a case in other services. A projection: `doorstep bus rebuild cases` rebuilds it."""

    __tablename__ = "timeline"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    event_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    occurred_at: datetime = Field(sa_type=UtcTime)
    type: str
    facts: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
