"""Promises to pay: what was promised, what came, and how each promise stands. Amounts in minor units; days are the
debtor's.

The one rule: what a promise comes to follows from the whole history of its case (`replay`); nothing is added up on the
way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_CEILING
from enum import StrEnum
from uuid import UUID

from services.followup.promises.terms import Due, Terms
from shared.instalments import OnMissed, Part


class PromiseStatus(StrEnum):
    ACTIVE = "ACTIVE"
    KEPT = "KEPT"
    PARTIALLY_KEPT = "PARTIALLY_KEPT"
    BROKEN = "BROKEN"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"


class Ending(StrEnum):
    """How an account left us: paid in full by its balance, or taken back by its lender."""

    PAID = "PAID"
    RECALLED = "RECALLED"


@dataclass(frozen=True, slots=True)
class PhonePromise:
    """A promise of a call, as a person enters it; `at`: when it was made, now by default."""

    case_id: UUID
    parts: Sequence[Part]
    account_ids: Sequence[UUID]
    on_missed: OnMissed | None
    at: datetime | None
    recording_consented: bool
    proof_digest: str | None


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised, in the order of the due days. `made_at` is the time of the act, `made_on` its day."""

    id: UUID
    made_at: datetime
    made_on: date
    currency: str
    dues: tuple[Due, ...]
    terms: Terms
    visit_id: UUID | None = None
    cancelled_on: date | None = None
    cancel_reason: str | None = None

    @property
    def promised(self) -> int:
        return sum(due.amount for due in self.dues)


@dataclass(frozen=True, slots=True)
class Money:
    """A payment, net of its reversals. `account_id`: None where no account is known; then it counts for any.
    `visit_id`: the visit at which it was taken in cash."""

    id: UUID
    received_on: date
    currency: str
    amount: int
    account_id: UUID | None = None
    visit_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """An account that is closed (`account_id` None: all of the case). One that was opened again is left out."""

    on: date
    ending: Ending
    account_id: UUID | None = None

    @property
    def is_recall_of_all(self) -> bool:
        """A case that its lender has taken back: it ends also a promise that is made after."""
        return self.account_id is None and self.ending is Ending.RECALLED


@dataclass(frozen=True, slots=True)
class Missed:
    """The instalment (counted from 0) at whose end of grace too little had come: `paid` of `due`, both cumulative."""

    instalment: int
    on: date
    paid: int
    due: int


@dataclass(frozen=True, slots=True)
class Applied:
    payment_id: UUID
    instalment: int
    amount: int


@dataclass(slots=True)
class Standing:
    """How a promise stands. `by_balance`: it is kept because its accounts are paid, whatever the lines say."""

    promise: Promise
    status: PromiseStatus
    paid: list[int]
    applied: list[Applied] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    ended_on: date | None = None
    superseded_by: UUID | None = None
    by_balance: bool = False

    @property
    def total_paid(self) -> int:
        return sum(self.paid)

    @property
    def stands(self) -> bool:
        return self.status is PromiseStatus.ACTIVE

    def end(self, status: PromiseStatus, on: date) -> None:
        self.status, self.ended_on = status, on


MATURED = (PromiseStatus.KEPT, PromiseStatus.PARTIALLY_KEPT, PromiseStatus.BROKEN)


def least_kept(due: int, terms: Terms) -> int:
    """The least that counts as paid, of so much: the share (rounded up), or the amount less what may lack."""
    share = int((due * terms.tolerance).to_integral_value(ROUND_CEILING))
    return max(1, min(share, due - terms.tolerance_amount))
