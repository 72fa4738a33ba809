"""Which cases are referred to the field, by which rule: each threshold from both sides."""

import pytest

from services.cases.referral.domain import Situation, warranting_rule


def rule_of(currency: str = "TWD", balance: int = 0, days: int = 0, unanswered: int = 0, refusals: int = 0) -> str:
    found = warranting_rule(Situation(currency, balance * 100, days, unanswered, refusals))
    return found[0].id if found else ""


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        ({"balance": 200_000, "days": 31}, "large-balance"),
        ({"balance": 200_000, "days": 30}, ""),
        ({"balance": 199_999, "days": 31}, ""),
        ({"currency": "JPY", "balance": 10**9, "days": 90}, ""),
        ({"refusals": 2}, "refuses-calls"),
        ({"refusals": 1}, ""),
        ({"currency": "JPY", "refusals": 2}, "refuses-calls"),
        ({"balance": 5_000, "days": 31, "unanswered": 3}, "unreachable"),
        ({"balance": 5_000, "days": 31, "unanswered": 2}, ""),
        ({"balance": 4_999, "days": 31, "unanswered": 3}, ""),
        ({"balance": 20_000, "days": 1, "unanswered": 3}, "unreachable-early"),
        ({"balance": 19_999, "days": 1, "unanswered": 3}, ""),
        ({"balance": 20_000, "days": 0, "unanswered": 3}, ""),
        ({"balance": 200_000, "days": 31, "refusals": 2, "unanswered": 3}, "large-balance"),
    ],
)
def test_the_first_rule_whose_thresholds_are_all_reached_refers(case: dict, rule: str) -> None:
    assert rule_of(**case) == rule


def test_the_inputs_of_a_referral_are_stored_with_it() -> None:
    rule, inputs = warranting_rule(Situation("TWD", 1, 2, 3, 4))
    assert (rule.id, inputs) == (
        "refuses-calls",
        {"currency": "TWD", "balance_minor": 1, "days_past_due": 2, "attempts_without_contact": 3, "refusals": 4},
    )
