"""The followed case: the row whose lock orders all that happens to a case here, and what other services say of it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field

from services.followup.base import FollowupTable
from shared.database import UtcTime
from shared.tenants import owned


class FollowedCaseRow(FollowupTable, table=True):
    """`version` counts the events that followup publishes about the case itself. `retention` is the class of the newest
    event of the case that names one."""

    __tablename__ = "followed_case"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    lender_id: str | None = None
    retention: str | None = None
    version: int = Field(default=0, sa_type=BigInteger)


class CaseFactsRow(FollowupTable, table=True):
    """Where a case is. A projection: `doorstep bus rebuild followup cases` makes it from all events."""

    __tablename__ = "case_facts"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    lender_id: str
    jurisdiction: str
    country: str
    region: str | None = None
    time_zone: str
    currency: str | None = None


class ClosingRow(FollowupTable, table=True):
    """A case, or one account of it, that is closed. `ending` is PAID or RECALLED. A projection: `doorstep bus rebuild
    followup closings` makes it from all events."""

    __tablename__ = "closing"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str | None = None
    account_id: UUID | None = None
    ending: str
    at: datetime = Field(sa_type=UtcTime)


class ReversalRow(FollowupTable, table=True):
    """A payment, or a part of one, that was taken back. `payment_id` is null while the payment is unknown. A
    projection: `doorstep bus rebuild followup reversals` makes it from all events."""

    __tablename__ = "reversal"
    __table_args__ = owned(tenant="lender_id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str | None = None
    account_id: UUID
    payment_id: UUID | None = None
    currency: str
    amount_minor: int = Field(sa_type=BigInteger)
    received_on: date
    provisional: bool
