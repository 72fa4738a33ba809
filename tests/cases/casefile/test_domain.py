"""A case's bucket and balance, as pure decisions."""

import pytest

from services.cases.casefile import domain
from shared.money import AMOUNT_MINOR_MAX


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, "M1"), (1, "M1"), (30, "M1"), (31, "M2"), (60, "M2"), (180, "M6"), (181, "M7+"), (100_000, "M7+")],
)
def test_a_bucket_holds_thirty_days(days: int, bucket: str) -> None:
    assert domain.bucket_of(days) == bucket


@pytest.mark.parametrize(
    ("balance", "paid", "left", "beyond"),
    [(100, 40, 60, 0), (100, 100, 0, 0), (100, 130, 0, 30), (0, 5, 0, 5), (100, 0, 100, 0)],
)
def test_a_payment_beyond_the_balance_is_counted_apart(balance: int, paid: int, left: int, beyond: int) -> None:
    assert domain.pay_down(balance, paid) == (left, beyond)


def test_a_case_owes_and_overpays_up_to_the_greatest_amount() -> None:
    assert domain.can_owe(AMOUNT_MINOR_MAX - 1, 1)
    assert not domain.can_owe(AMOUNT_MINOR_MAX, 1)
    assert domain.can_take(10, AMOUNT_MINOR_MAX - 5, 15)
    assert not domain.can_take(10, AMOUNT_MINOR_MAX - 5, 16)
