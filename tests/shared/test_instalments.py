"""Arrangements: due days and amounts, and what can be meant by them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.instalments import PROMISE_DAYS_MAX, Every, Part, check_parts, schedule
from shared.money import Money

DAY = date(2026, 3, 2)


def twd(amount):
    return Money.parse(amount, "TWD")


def days(first, every, parts):
    return [part.due_on for part in schedule(first, every, twd("600"), parts)]


@pytest.mark.parametrize(
    ("first", "every", "expected"),
    [
        (date(2026, 1, 31), Every.MONTH, [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]),
        (date(2028, 1, 31), Every.MONTH, [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]),
        (date(2026, 12, 28), Every.WEEK, [date(2026, 12, 28), date(2027, 1, 4), date(2027, 1, 11), date(2027, 1, 18)]),
        (
            date(2026, 1, 15),
            Every.HALF_MONTH,
            [date(2026, 1, 15), date(2026, 1, 30), date(2026, 2, 15), date(2026, 2, 28)],
        ),
        (
            date(2026, 1, 31),
            Every.HALF_MONTH,
            [date(2026, 1, 31), date(2026, 2, 16), date(2026, 2, 28), date(2026, 3, 16)],
        ),
        (
            date(2026, 1, 1),
            Every.HALF_MONTH,
            [date(2026, 1, 1), date(2026, 1, 16), date(2026, 2, 1), date(2026, 2, 16)],
        ),
    ],
)
def test_due_days_of_an_arrangement(first, every, expected):
    assert days(first, every, 4) == expected


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.sampled_from(Every), st.integers(1, 10**9), st.integers(1, 60))
def test_parts_rise_by_day_and_add_up(first, every, minor, parts):
    total = Money.of_minor(minor, "TWD")
    if minor < parts:
        with pytest.raises(Invalid):
            schedule(first, every, total, parts)
        return
    made = schedule(first, every, total, parts)
    assert [part.due_on for part in made] == sorted({part.due_on for part in made})
    assert sum(part.money.minor for part in made) == minor
    assert len({part.money.minor for part in made[:-1]}) <= 1
    assert all(part.money.minor > 0 for part in made)


@pytest.mark.parametrize(
    "parts",
    [
        [Part(DAY, twd("5")), Part(DAY, twd("5"))],
        [Part(DAY + timedelta(days=2), twd("5")), Part(DAY, twd("5"))],
        [Part(DAY - timedelta(days=1), twd("5"))],
        [Part(DAY + timedelta(days=PROMISE_DAYS_MAX + 1), twd("5"))],
        [Part(DAY, twd("0"))],
        [Part(DAY, Money.parse("5", "HKD"))],
    ],
)
def test_what_cannot_be_meant_is_refused(parts):
    with pytest.raises(Invalid):
        check_parts(parts, on=DAY, currency="TWD")
