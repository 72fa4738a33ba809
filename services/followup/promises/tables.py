"""Promises, the money that came, and what of it went to which promise."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field

from services.followup.base import FollowupTable
from services.followup.promises.domain import Instalment, Promise, PromiseStatus, Terms
from shared.database import UtcTime
from shared.tenants import owned


class PromiseRow(FollowupTable, table=True):
    """Grace and tolerance are frozen when the promise is made. `check_at`: when it is to be judged next. `version`
    counts its events, `revision` all its changes: money changes a promise without an event of its own."""

    __tablename__ = "promise"
    __table_args__ = (Index("ix_promise_status_check_at", "status", "check_at"), owned(tenant="lender_id"))

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str | None = Field(default=None, index=True)
    visit_id: UUID | None = None
    status: str
    currency: str
    promised_minor: int = Field(sa_type=BigInteger)
    paid_minor: int = Field(default=0, sa_type=BigInteger)
    instalments: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    made_on: date
    made_at: datetime = Field(sa_type=UtcTime)
    superseded_on: date | None = None
    time_zone: str
    grace_days: int
    tolerance: str
    check_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    version: int = Field(default=0, sa_type=BigInteger)
    revision: int = Field(default=0, sa_type=BigInteger)

    @property
    def state(self) -> Promise:
        """The promise as the domain knows it."""
        instalments = (
            Instalment(date.fromisoformat(item["due_on"]), item["amount_minor"], item["paid_minor"])
            for item in self.instalments
        )
        terms = Terms(self.grace_days, Decimal(self.tolerance), self.time_zone)
        return Promise(PromiseStatus(self.status), self.made_on, tuple(instalments), terms, self.superseded_on)


class ReceivedRow(FollowupTable, table=True):
    """A payment, and how much of it went to promises: received = applied + unapplied, always."""

    __tablename__ = "received"
    __table_args__ = owned(tenant="lender_id")

    payment_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str | None = None
    currency: str
    amount_minor: int = Field(sa_type=BigInteger)
    applied_minor: int = Field(default=0, sa_type=BigInteger)
    received_on: date


class ApplicationRow(FollowupTable, table=True):
    """How much of a payment went to a promise."""

    __tablename__ = "application"
    __table_args__ = owned(tenant_via="promise_id", to="promise.id")

    promise_id: UUID = Field(primary_key=True)
    payment_id: UUID = Field(primary_key=True)
    amount_minor: int = Field(sa_type=BigInteger)
