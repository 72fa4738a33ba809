"""Promises as pure decisions: conservation, midnights, tolerance."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.followup.promises.domain import (
    Instalment,
    Promise,
    PromiseStatus,
    Terms,
    outcome,
    pay,
    takes,
    tolerated_minor,
)

DAY = date(2026, 3, 2)
SECOND = timedelta(seconds=1)
amounts = st.integers(min_value=1, max_value=10**12)


def promise(*instalments: tuple[date, int], grace: int = 2, tolerance: str = "0.95", zone: str = "Asia/Taipei"):
    parts = tuple(Instalment(due_on, amount) for due_on, amount in instalments)
    return Promise(PromiseStatus.ACTIVE, DAY, parts, Terms(grace, Decimal(tolerance), zone))


@given(parts=st.lists(amounts, min_size=1, max_size=12), payments=st.lists(amounts, max_size=30))
def test_money_is_applied_or_left_never_lost_or_made(parts, payments):
    now = promise(*((DAY + timedelta(days=number), amount) for number, amount in enumerate(parts)))
    unapplied = 0
    for payment in payments:
        now, left = pay(now, payment)
        unapplied += left
    assert now.paid_minor + unapplied == sum(payments)
    assert now.paid_minor == min(sum(payments), sum(parts))
    assert all(0 <= part.paid_minor <= part.amount_minor for part in now.instalments)
    full = [part.paid_minor == part.amount_minor for part in now.instalments]
    assert full == sorted(full, reverse=True), "a later instalment was paid before an earlier one"


@given(parts=st.lists(amounts, min_size=1, max_size=5), payments=st.permutations([5, 70, 900, 11_000]))
def test_the_order_of_payments_of_a_day_does_not_matter(parts, payments):
    whole = promise(*((DAY + timedelta(days=number), amount) for number, amount in enumerate(parts)))
    one_by_one = whole
    for payment in payments:
        one_by_one, _ = pay(one_by_one, payment)
    assert one_by_one == pay(whole, sum(payments))[0]


# The day that ends with the change to summer time, the one that ends with the change back, and an ordinary one.
MIDNIGHTS = [
    ("Asia/Taipei", date(2026, 3, 2), datetime(2026, 3, 2, 16, tzinfo=UTC)),
    ("Europe/London", date(2026, 3, 28), datetime(2026, 3, 29, 0, tzinfo=UTC)),
    ("Europe/London", date(2026, 3, 29), datetime(2026, 3, 29, 23, tzinfo=UTC)),
    ("Europe/London", date(2026, 10, 25), datetime(2026, 10, 26, 0, tzinfo=UTC)),
    ("America/New_York", date(2026, 3, 7), datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ("America/New_York", date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),
    ("America/New_York", date(2026, 11, 1), datetime(2026, 11, 2, 5, tzinfo=UTC)),
    ("America/Havana", date(2026, 3, 7), datetime(2026, 3, 8, 5, tzinfo=UTC)),  # its midnight does not exist
]


@pytest.mark.parametrize(("zone", "due_on", "midnight"), MIDNIGHTS)
def test_without_grace_a_promise_matures_at_the_debtors_midnight(zone, due_on, midnight):
    made = promise((due_on, 100), grace=0, zone=zone)
    assert made.matures_at.astimezone(UTC) == midnight
    assert outcome(made, midnight - SECOND) is PromiseStatus.ACTIVE
    assert outcome(made, midnight) is PromiseStatus.BROKEN


@given(
    zone=st.sampled_from(["Asia/Taipei", "Europe/London", "America/New_York", "Pacific/Apia"]),
    due_on=st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    grace=st.integers(0, 60),
)
def test_grace_is_whole_days_of_the_debtor(zone, due_on, grace):
    made = promise((due_on, 100), grace=grace, zone=zone)
    last = due_on + timedelta(days=grace)
    local = (made.matures_at.astimezone(UTC) - SECOND).astimezone(ZoneInfo(zone))
    assert made.last_day == local.date() == last


@pytest.mark.parametrize(
    ("amount", "tolerance", "least"),
    [(100, "0.95", 95), (101, "0.95", 96), (1, "0.95", 1), (3, "0.5", 2), (10**15, "1", 10**15), (20, "0.951", 20)],
)
def test_tolerance_is_exact_and_rounded_up(amount, tolerance, least):
    assert tolerated_minor(amount, Decimal(tolerance)) == least


@given(amount=amounts, tolerance=st.decimals("0.0001", "1", places=4))
def test_tolerance_never_forgives_more_than_its_share(amount, tolerance):
    least = tolerated_minor(amount, tolerance)
    assert least - 1 < amount * tolerance <= least <= amount


@pytest.mark.parametrize(
    ("paid", "status"),
    [(0, "BROKEN"), (1, "PARTIALLY_KEPT"), (94, "PARTIALLY_KEPT"), (95, "KEPT"), (99, "KEPT"), (100, "KEPT")],
)
def test_at_the_end_of_grace_the_paid_share_decides(paid, status):
    made, _ = pay(promise((DAY, 100)), paid)
    assert outcome(made, made.matures_at) is PromiseStatus[status]


def test_a_promise_is_kept_at_once_when_all_is_paid_and_not_before():
    made = promise((DAY, 100))
    almost, _ = pay(made, 99)
    assert outcome(almost, almost.matures_at - SECOND) is PromiseStatus.ACTIVE
    assert outcome(pay(almost, 1)[0], almost.matures_at - SECOND) is PromiseStatus.KEPT


def test_an_arrangement_ends_with_the_first_instalment_towards_which_nothing_came():
    three = promise(*((DAY + timedelta(days=10 * number), 100) for number in range(3)))
    assert three.last_day == DAY + timedelta(days=2)
    begun, _ = pay(three, 130)
    assert begun.last_day == DAY + timedelta(days=22)
    assert outcome(begun, begun.matures_at) is PromiseStatus.PARTIALLY_KEPT
    second_missed, _ = pay(three, 100)
    assert second_missed.last_day == DAY + timedelta(days=12)
    assert outcome(second_missed, second_missed.matures_at) is PromiseStatus.PARTIALLY_KEPT


def test_money_counts_from_the_day_of_the_promise_until_grace_is_over():
    made = promise((DAY + timedelta(days=3), 100))
    days = [offset for offset in range(-2, 9) if takes(made, DAY + timedelta(days=offset))]
    assert days == [0, 1, 2, 3, 4, 5]


def test_a_superseded_promise_takes_what_was_received_until_the_newer_one():
    made = replace(
        promise((DAY + timedelta(days=9), 100)),
        status=PromiseStatus.SUPERSEDED,
        superseded_on=DAY + timedelta(days=2),
    )
    assert [offset for offset in range(-1, 6) if takes(made, DAY + timedelta(days=offset))] == [0, 1, 2]


@pytest.mark.parametrize("status", [s for s in PromiseStatus if s not in ("ACTIVE", "SUPERSEDED")])
def test_a_promise_that_has_ended_takes_nothing(status):
    assert not takes(replace(promise((DAY, 100)), status=status), DAY)
