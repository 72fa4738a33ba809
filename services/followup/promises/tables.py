"""Promises, the money that came, and what of it went to which promise."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Index, inspect
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Field

from services.followup.base import FollowupTable
from services.followup.lenders.domain import GraceIn
from services.followup.promises.domain import Money, Promise, PromiseStatus, Standing
from services.followup.promises.judging import Judged
from services.followup.promises.terms import Due, Terms
from shared.database import UtcTime
from shared.instalments import OnMissed
from shared.tenants import owned

JUDGED = (
    *("status", "paid_minor", "instalments", "missed", "judgement", "asked_at", "check_at", "ended_at", "ended_on"),
    *("superseded_by", "by_balance", "version", "revision"),
)


class PromiseRow(FollowupTable, table=True):
    """Its terms are frozen when the promise is made; how it stands follows from the history of its case. `check_at`:
    when it must be looked at next. `judgement` counts its judgements, `version` its events, `revision` all its changes.
    `acted_at`: when it was agreed; `made_at`: when we heard of it. `asked_at`: the judgement that a visit was asked for
    last. `frozen`: it ended under the rules of an earlier release, and is not judged again."""

    __tablename__ = "promise"
    __table_args__ = (
        Index("ix_promise_check_at", "check_at"),
        owned(tenant="lender_id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str | None = Field(default=None, index=True)
    visit_id: UUID | None = None
    status: str
    currency: str
    promised_minor: int = Field(sa_type=BigInteger)
    paid_minor: int = Field(default=0, sa_type=BigInteger)
    instalments: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    missed: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    accounts: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    made_on: date
    made_at: datetime = Field(sa_type=UtcTime)
    acted_at: datetime = Field(sa_type=UtcTime)
    time_zone: str
    grace_days: int
    grace_in: str = GraceIn.CALENDAR
    tolerance: str
    tolerance_minor: int = Field(default=0, sa_type=BigInteger)
    on_missed: str = OnMissed.END
    down_payment: bool = False
    recording_consented: bool | None = None
    proof_digest: str | None = None
    judgement: int = 0
    asked_at: int = 0
    check_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_on: date | None = None
    superseded_by: UUID | None = None
    cancelled_on: date | None = None
    cancel_reason: str | None = None
    by_balance: bool = False
    frozen: bool = False
    version: int = Field(default=0, sa_type=BigInteger)
    revision: int = Field(default=0, sa_type=BigInteger)

    @property
    def promise(self) -> Promise:
        """What was promised, as the domain knows it."""
        dues = tuple(
            Due(date.fromisoformat(item["due_on"]), date.fromisoformat(item["counts_until"]), item["amount_minor"])
            for item in self.instalments
        )
        terms = Terms(
            time_zone=self.time_zone,
            tolerance=Decimal(self.tolerance),
            tolerance_amount=self.tolerance_minor,
            on_missed=OnMissed(self.on_missed),
            accounts=frozenset(map(UUID, self.accounts)),
            down_payment=self.down_payment,
        )
        return Promise(
            id=self.id,
            made_at=self.acted_at,
            made_on=self.made_on,
            currency=self.currency,
            dues=dues,
            terms=terms,
            visit_id=self.visit_id,
            cancelled_on=self.cancelled_on,
            cancel_reason=self.cancel_reason,
        )

    @property
    def judged(self) -> Judged:
        """How it was published to stand."""
        missed = frozenset(item["instalment"] for item in self.missed)
        return Judged(PromiseStatus(self.status), self.judgement, missed)

    def write_alike(self) -> None:
        """Let a change write all that a judgement may change: rows that write the same columns go to the database
        together, others one by one."""
        state = inspect(self)
        if state.persistent and state.modified:
            for name in JUDGED:
                flag_modified(self, name)

    def store(self, standing: Standing) -> bool:
        """Keep how it stands. Returns whether anything is otherwise than before."""
        instalments = [{**item, "paid_minor": paid} for item, paid in zip(self.instalments, standing.paid, strict=True)]
        missed = [
            {"instalment": miss.instalment, "on": miss.on.isoformat(), "paid_minor": miss.paid, "due_minor": miss.due}
            for miss in standing.missed
        ]
        before = (self.status, self.instalments, self.missed, self.ended_on, self.superseded_by, self.by_balance)
        after = (
            standing.status,
            instalments,
            missed,
            standing.ended_on,
            standing.superseded_by,
            standing.by_balance,
        )
        if before == after:
            return False
        self.status, self.instalments, self.missed, self.ended_on, self.superseded_by, self.by_balance = after
        self.paid_minor = standing.total_paid
        return True


class ReceivedRow(FollowupTable, table=True):
    """A payment, how much of it was taken back, and how much went to promises: what stays = applied + unapplied."""

    __tablename__ = "received"
    __table_args__ = owned(tenant="lender_id")

    payment_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str | None = Field(default=None, index=True)
    currency: str
    amount_minor: int = Field(sa_type=BigInteger)
    reversed_minor: int = Field(default=0, sa_type=BigInteger)
    applied_minor: int = Field(default=0, sa_type=BigInteger)
    received_on: date
    provisional: bool = False
    account_id: UUID | None = None
    visit_id: UUID | None = None

    @property
    def money(self) -> Money:
        """The payment as it came, before anything was taken back."""
        return Money(
            self.payment_id, self.received_on, self.currency, self.amount_minor, self.account_id, self.visit_id
        )


class ApplicationRow(FollowupTable, table=True):
    """How much of a payment went to a promise."""

    __tablename__ = "application"
    __table_args__ = owned(tenant_via="promise_id", to="promise.id")

    promise_id: UUID = Field(primary_key=True)
    payment_id: UUID = Field(primary_key=True)
    amount_minor: int = Field(sa_type=BigInteger)
