"""Promises to pay: which money counts towards them, and how they end. Amounts in minor units; days are the debtor's.

The one rule: whatever order visits and payments are heard of in, the same money ends in the same place. So money is
placed by the day on which it was received, never by when we heard of it.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.law import VisitPurpose


class PromiseStatus(StrEnum):
    PENDING_APPROVAL = "PENDING_APPROVAL"
    ACTIVE = "ACTIVE"
    KEPT = "KEPT"
    PARTIALLY_KEPT = "PARTIALLY_KEPT"
    BROKEN = "BROKEN"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"


MATURED = (PromiseStatus.KEPT, PromiseStatus.PARTIALLY_KEPT, PromiseStatus.BROKEN)

# Who paid something showed good will: the visit that follows is agreed, not demanded.
REVISIT_PURPOSES = {
    PromiseStatus.BROKEN: VisitPurpose.DEMAND,
    PromiseStatus.PARTIALLY_KEPT: VisitPurpose.AGREED_REVISIT,
}


@dataclass(frozen=True, slots=True)
class Instalment:
    """So much until the end of this day; `paid_minor` of it has come."""

    due_on: date
    amount_minor: int
    paid_minor: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts as late and as paid, frozen when the promise was made. `tolerance` is a share."""

    grace_days: int
    tolerance: Decimal
    time_zone: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise as it stands, its instalments in the order of their days. `superseded_on`: the day of the newer one."""

    status: PromiseStatus
    made_on: date
    instalments: tuple[Instalment, ...]
    terms: Terms
    superseded_on: date | None = None

    @property
    def promised_minor(self) -> int:
        return sum(instalment.amount_minor for instalment in self.instalments)

    @property
    def paid_minor(self) -> int:
        return sum(instalment.paid_minor for instalment in self.instalments)

    @property
    def last_day(self) -> date:
        """The last day on which money still counts: the end of grace of the first instalment towards which nothing
        has come (it is missed, and the arrangement with it), or of the last one."""
        for instalment in self.instalments:
            if not instalment.paid_minor:
                return instalment.due_on + timedelta(days=self.terms.grace_days)
        return self.instalments[-1].due_on + timedelta(days=self.terms.grace_days)

    @property
    def matures_at(self) -> datetime:
        """When it is judged unless it is paid before: the debtor's midnight at the end of the last day."""
        midnight = datetime.combine(self.last_day + timedelta(days=1), time(0))
        return midnight.replace(tzinfo=ZoneInfo(self.terms.time_zone))


def takes(promise: Promise, received_on: date) -> bool:
    """Whether money of this day counts towards a promise. One that was superseded takes what was received until the
    day of the newer promise, since such money may be heard of later than the visit."""
    if not promise.made_on <= received_on <= promise.last_day:
        return False
    if promise.status is PromiseStatus.SUPERSEDED and promise.superseded_on is not None:
        return received_on <= promise.superseded_on
    return promise.status is PromiseStatus.ACTIVE


def pay(promise: Promise, amount_minor: int) -> tuple[Promise, int]:
    """Apply money, the oldest instalment first. Returns the promise, and what none of its instalments took."""
    instalments, left = [], amount_minor
    for instalment in promise.instalments:
        share = min(left, instalment.amount_minor - instalment.paid_minor)
        instalments.append(replace(instalment, paid_minor=instalment.paid_minor + share))
        left -= share
    return replace(promise, instalments=tuple(instalments)), left


def tolerated_minor(amount_minor: int, tolerance: Decimal) -> int:
    """The least that counts as paid in full, rounded up to a whole minor unit."""
    return int((amount_minor * tolerance).to_integral_value(ROUND_CEILING))


def outcome(promise: Promise, now: datetime) -> PromiseStatus:
    """How an active promise stands: KEPT as soon as all of it is paid; else ACTIVE until it matures, and then by the
    paid total: the tolerance KEPT, more than nothing PARTIALLY_KEPT, nothing BROKEN."""
    if promise.paid_minor == promise.promised_minor:
        return PromiseStatus.KEPT
    if now < promise.matures_at:
        return PromiseStatus.ACTIVE
    if promise.paid_minor >= tolerated_minor(promise.promised_minor, promise.terms.tolerance):
        return PromiseStatus.KEPT
    return PromiseStatus.PARTIALLY_KEPT if promise.paid_minor else PromiseStatus.BROKEN
