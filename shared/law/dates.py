"""Sums with calendar days: a month later is the same day of that month, or its last."""

from calendar import monthrange
from datetime import date


def months_after(day: date, months: int) -> date:
    """31 January and one month: 28 (29) February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
