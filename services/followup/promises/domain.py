"""Promises to pay: how money is applied to them, and how they end. Amounts in minor units; days are the debtor's.

At the end of grace: at least the tolerance paid is KEPT, more than nothing PARTIALLY_KEPT, nothing BROKEN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo


class PromiseStatus(StrEnum):
    PENDING_APPROVAL = "PENDING_APPROVAL"
    ACTIVE = "ACTIVE"
    KEPT = "KEPT"
    PARTIALLY_KEPT = "PARTIALLY_KEPT"
    BROKEN = "BROKEN"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Instalment:
    """So much until the end of this day; `paid_minor` of it has come."""

    due_on: date
    amount_minor: int
    paid_minor: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed about lateness, frozen when the promise was made. `tolerance` is a share."""

    grace_days: int
    tolerance: Decimal
    time_zone: str


def matures_at(due_on: date, terms: Terms) -> datetime:
    """When grace has passed: midnight, by the debtor's clock, after the last day of grace."""
    last = due_on + timedelta(days=terms.grace_days)
    return datetime.combine(last + timedelta(days=1), time(0), ZoneInfo(terms.time_zone))


def apply_payment(instalments: Sequence[Instalment], amount_minor: int) -> tuple[list[Instalment], int]:
    """Apply money to the oldest instalment first. Returns the instalments, and what none of them took."""
    applied = []
    for instalment in instalments:
        share = min(amount_minor, instalment.amount_minor - instalment.paid_minor)
        applied.append(Instalment(instalment.due_on, instalment.amount_minor, instalment.paid_minor + share))
        amount_minor -= share
    return applied, amount_minor


def tolerated_minor(amount_minor: int, tolerance: Decimal) -> int:
    """The least that counts as paid in full."""
    return int((amount_minor * tolerance).to_integral_value(ROUND_CEILING))


def is_paid(instalments: Sequence[Instalment]) -> bool:
    return all(instalment.paid_minor == instalment.amount_minor for instalment in instalments)


def next_check(instalments: Sequence[Instalment], terms: Terms) -> datetime:
    """When the promise is to be judged next: at the end of grace of its oldest instalment that is not paid enough,
    or of the last one."""
    for instalment in instalments:
        if instalment.paid_minor < tolerated_minor(instalment.amount_minor, terms.tolerance):
            return matures_at(instalment.due_on, terms)
    return matures_at(instalments[-1].due_on, terms)


def outcome(instalments: Sequence[Instalment], terms: Terms, now: datetime) -> PromiseStatus:
    """How a promise stands. An arrangement ends with the first instalment that is missed."""
    if is_paid(instalments):
        return PromiseStatus.KEPT
    if now < next_check(instalments, terms):
        return PromiseStatus.ACTIVE
    promised = sum(instalment.amount_minor for instalment in instalments)
    paid = sum(instalment.paid_minor for instalment in instalments)
    if paid >= tolerated_minor(promised, terms.tolerance):
        return PromiseStatus.KEPT
    return PromiseStatus.PARTIALLY_KEPT if paid else PromiseStatus.BROKEN
