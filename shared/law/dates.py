"""Days and moments as facts may name them, and sums with them: a month later is the same day of it, or its last.

Every day and moment lies within YEAR_MIN and YEAR_MAX, so that no sum of the law leaves the calendar. A request or a
file names a year from STATED_YEAR_MIN on: an earlier one is mistyped. Stored facts may hold it, so that they are read.
"""

from calendar import monthrange
from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

YEAR_MIN, YEAR_MAX = 1900, 2199
STATED_YEAR_MIN = 2000
DayOrMoment = TypeVar("DayOrMoment", bound=date)


def _written_out(told: object) -> object:
    """A bare number would be read as seconds since 1970, which nobody means who describes an act."""
    if isinstance(told, int | float) or (isinstance(told, str) and told.strip().lstrip("+-").isdigit()):
        raise ValueError("a number is neither day nor time; write 2026-03-02, or 2026-03-02T10:00:00+08:00")
    return told


def _within_reach(told: DayOrMoment) -> DayOrMoment:
    if not YEAR_MIN <= told.year <= YEAR_MAX:
        raise ValueError(f"the year must lie between {YEAR_MIN} and {YEAR_MAX}; found {told.year}")
    return told


def is_mistyped(day: date) -> bool:
    """Whether a day or moment that a request or a file names has a year that is surely mistyped."""
    return day.year < STATED_YEAR_MIN


def _not_mistyped(stated: DayOrMoment) -> DayOrMoment:
    if is_mistyped(stated):
        raise ValueError(f"the year must be {STATED_YEAR_MIN} or later: correct the date")
    return stated


LegalDay = Annotated[date, BeforeValidator(_written_out), AfterValidator(_within_reach)]
LegalMoment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_within_reach)]
StatedDay = Annotated[LegalDay, AfterValidator(_not_mistyped)]
StatedMoment = Annotated[LegalMoment, AfterValidator(_not_mistyped)]


def months_after(day: date, months: int) -> date:
    """31 January and one month: 28 (29) February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
