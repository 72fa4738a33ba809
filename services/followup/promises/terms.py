"""What a promise says about days and sums: schedules of instalments, working days, grace.

The one rule: the days are worked out once, when the promise is made, and kept with it. A calendar that is corrected
later changes no promise.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from shared.errors import Invalid
from shared.law.calendar import add_business_days, is_business_day
from shared.law.dates import months_after

# Where the law moves a last day that is no working day to the next one: 民法 §122 (tw), 民法典 §203 (cn). Where the
# place is not known, the debtor is given the day.
MOVES_DUE_DAYS = frozenset({"TW", "CN", None})
HALF_A_MONTH = 15


class OnMissed(StrEnum):
    END = "END"
    CONTINUE = "CONTINUE"


class GraceIn(StrEnum):
    CALENDAR = "CALENDAR"
    WORKING = "WORKING"


class Every(StrEnum):
    """How the due days of an arrangement follow each other."""

    WEEK = "WEEK"
    HALF_MONTH = "HALF_MONTH"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose working days count. `country`: ISO 3166-1 alpha-2; `region`: its part in the calendar of holidays."""

    country: str | None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts as late and as paid, frozen when the promise is made. `tolerance` is a share, `tolerance_amount` the
    minor units that may lack. `accounts`: those that it is about, none for all of the case. `down_payment`: cash of
    the visit itself counts."""

    time_zone: str
    tolerance: Decimal
    tolerance_amount: int = 0
    on_missed: OnMissed = OnMissed.END
    accounts: frozenset[UUID] = frozenset()
    down_payment: bool = False
    settlement: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """So much until the end of `due_on`; money that is valued until the end of `counts_until` is in time."""

    due_on: date
    counts_until: date
    amount: int


def counts_until(due_on: date, grace_days: int, grace_in: GraceIn, place: Place) -> date:
    """The last day on which money for this due day is in time: the due day, moved off days that are no working days
    where the law of the place says so, and then the grace."""
    moves = place.country in MOVES_DUE_DAYS and not is_business_day(place.country, place.region, due_on)
    day = add_business_days(place.country, place.region, due_on, 1) if moves else due_on
    if grace_in is GraceIn.WORKING:
        return add_business_days(place.country, place.region, day, grace_days)
    return day + timedelta(days=grace_days)


def schedule(first: date, every: Every, total: int, parts: int) -> tuple[tuple[date, int], ...]:
    """Due days and amounts of an arrangement; equal parts, and the last takes the rest. Raises Invalid."""
    if parts < 1 or total < parts:
        raise Invalid("promise-parts", "Each instalment must be at least one minor unit: name fewer instalments.")
    part = total // parts
    amounts = [part] * (parts - 1) + [total - part * (parts - 1)]
    return tuple(zip((_nth(first, every, number) for number in range(parts)), amounts, strict=True))


def _nth(first: date, every: Every, number: int) -> date:
    if every is Every.WEEK:
        return first + timedelta(weeks=number)
    if every is Every.MONTH:
        return months_after(first, number)
    # Twice a month: on the first day's date, and on the date that is half a month from it.
    whole, half = divmod(number, 2)
    if not half:
        return months_after(first, whole)
    if first.day <= HALF_A_MONTH:
        start = months_after(first.replace(day=1), whole)
        return _day_of(start, first.day + HALF_A_MONTH)
    return months_after(first.replace(day=first.day - HALF_A_MONTH), whole + 1)


def _day_of(month: date, day: int) -> date:
    """A day of this month, or its last day where it is shorter."""
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))


def dues(
    parts: Sequence[tuple[date, int]], made_on: date, grace_days: int, grace_in: GraceIn, place: Place
) -> tuple[Due, ...]:
    """The parts of a promise in the order of their days, each with the last day that counts: never one before the day
    of the promise itself."""
    return tuple(
        Due(due_on, max(made_on, counts_until(due_on, grace_days, grace_in, place)), amount)
        for due_on, amount in sorted(parts)
    )
