"""What a promise says about days and sums: working days, grace, tolerance.

The one rule: the days are worked out once, when the promise is made, and kept with it. A calendar that is corrected
later changes no promise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from services.followup.lenders.domain import GraceIn
from shared.instalments import OnMissed
from shared.law.calendar import add_business_days, is_business_day

# Where the law moves a last day that is no working day to the next one: 民法 §122 (tw), 民法典 §203 (cn). Where the
# place is not known, the debtor is given the day.
MOVES_DUE_DAYS = frozenset({"TW", "CN", None})


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


def dues(
    parts: Sequence[tuple[date, int]], made_on: date, grace_days: int, grace_in: GraceIn, place: Place
) -> tuple[Due, ...]:
    """The parts of a promise in the order of their days, each with the last day that counts: never one before the day
    of the promise itself."""
    return tuple(
        Due(due_on, max(made_on, counts_until(due_on, grace_days, grace_in, place)), amount)
        for due_on, amount in sorted(parts)
    )
