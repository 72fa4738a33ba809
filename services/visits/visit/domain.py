"""The life of a visit, and what may be written down of it. Refused is only what cannot be true; what happened,
however unlawful, is recorded as it happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from shared.errors import Conflict, Invalid
from shared.law import Disposition, DispositionGroup, PersonMet
from shared.money import Money, NotMoney

COLLECTORS_MIN = 2
PROMISE_DAYS_MAX = 60 * 31
LATE_SYNC = timedelta(days=7)
CLOCK_AHEAD_MAX = timedelta(minutes=15)
PROMISING = (Disposition.PROMISE_TO_PAY, Disposition.ARRANGEMENT_REQUESTED)


class VisitStatus(StrEnum):
    PLANNED = "PLANNED"
    DISPATCHED = "DISPATCHED"
    EN_ROUTE = "EN_ROUTE"
    CHECKED_IN = "CHECKED_IN"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
    CANCELLED = "CANCELLED"
    MISSED = "MISSED"


class IncidentKind(StrEnum):
    """What somebody must look into. RULE_BROKEN: something happened that a rule forbids."""

    RECORD_INCOMPLETE = "RECORD_INCOMPLETE"
    RULE_BROKEN = "RULE_BROKEN"


OPEN = (VisitStatus.PLANNED, VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE, VisitStatus.CHECKED_IN)
UNDER_WAY = (VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE, VisitStatus.CHECKED_IN)


def check_status(status: str, allowed: Sequence[VisitStatus], *, to: str) -> None:
    """Raises Conflict where a visit in this status cannot be dispatched, completed …"""
    if status in allowed:
        return
    if status == VisitStatus.COMPLETED:
        raise Conflict("already-completed", "This visit is completed already; what happened later is a new visit.")
    if to == "complete" and status in (VisitStatus.PLANNED, VisitStatus.DISPATCHED):
        raise Conflict("not-started", f"First at least {COLLECTORS_MIN} collectors must check in.")
    raise Conflict("visit-status", f"A visit that is {status} cannot be {to}.", visit_status=status)


def check_time(at: datetime, now: datetime) -> None:
    """A phone may report late, but not from the future. Raises Invalid."""
    if at > now + CLOCK_AHEAD_MAX:
        raise Invalid("time-in-future", "The phone's time lies in the future: set its clock, then report again.")
    if at < now - LATE_SYNC:
        raise Invalid("time-too-old", f"More than {LATE_SYNC.days} days old: a supervisor must look at it first.")


def check_end(started_at: datetime, ended_at: datetime) -> None:
    """A visit ends after it began. Raises Invalid."""
    if ended_at < started_at:
        raise Invalid(
            "ended-before-started", f"The visit began at {started_at.isoformat()}: it cannot end before that."
        )


def time_of_act(window_start: datetime, window_end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """When a visit that is sent now will begin and end: in its window, or as long from now on where that has begun."""
    start = max(now, window_start)
    return start, start + (window_end - window_start)


def check_outcome(disposition: Disposition, person: PersonMet) -> None:
    """Disposition and person met must fit each other. Raises Invalid."""
    if disposition.group is DispositionGroup.NOT_PERFORMED:
        raise Invalid("disposition", "The visit was not performed: abort it with this reason instead.")
    fits = {
        DispositionGroup.RIGHT_PARTY: person.is_right_party,
        DispositionGroup.OTHER_PARTY: person is PersonMet.THIRD_PARTY,
        DispositionGroup.NO_CONTACT: person is PersonMet.NONE,
    }[disposition.group]
    if not fits:
        raise Invalid("disposition", f"{disposition} does not fit the person met, {person}. One of them is wrong.")


@dataclass(frozen=True, slots=True)
class Instalment:
    due_on: date
    money: Money


def check_promise(
    disposition: Disposition, instalments: Sequence[Instalment], *, on: date, currency: str, balance_minor: int
) -> None:
    """Terms that can be meant: positive, in the case's currency, on or after the day, in order, not beyond what is
    owed. Raises Invalid."""
    if disposition not in PROMISING:
        raise Invalid("promise", f"{disposition} has no promise: use PROMISE_TO_PAY or ARRANGEMENT_REQUESTED.")
    days = [instalment.due_on for instalment in instalments]
    if days != sorted(set(days)):
        raise Invalid("promise", "Instalments stand in the order of their days, one a day.")
    if days[0] < on or (days[-1] - on).days > PROMISE_DAYS_MAX:
        raise Invalid("promise", f"Instalments are due from the day of the visit on, within {PROMISE_DAYS_MAX} days.")
    total = 0
    for instalment in instalments:
        if instalment.money.currency != currency:
            raise Invalid("promise", f"The case is kept in {currency}.")
        if instalment.money.minor <= 0:
            raise Invalid("promise", "An instalment is more than 0.")
        total += instalment.money.minor
    if total > balance_minor:
        raise Invalid("promise", "More was promised than is owed.")


def check_cash(money: Money, *, currency: str) -> None:
    """Raises Invalid."""
    if money.currency != currency or money.minor <= 0:
        raise Invalid("cash", f"Cash is an amount above 0 in {currency}.")


def money_of(amount: object, currency: str) -> Money:
    """An amount of a request. Raises Invalid."""
    try:
        return Money.parse(str(amount), currency)
    except NotMoney as error:
        raise Invalid("amount", f"The amount is {error}.") from None


def days_after(day: date, days: int) -> date:
    return day + timedelta(days=days)
