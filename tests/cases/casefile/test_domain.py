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


def test_a_case_owes_up_to_the_greatest_amount() -> None:
    assert domain.can_owe(AMOUNT_MINOR_MAX)
    assert not domain.can_owe(AMOUNT_MINOR_MAX + 1)
