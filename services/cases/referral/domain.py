"""Referral: the decision that a case warrants field visits. Each rule is data; the first that fires is stored with
its inputs, so that the reason of each visit can be seen later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RULES_VERSION = "2026.1"


@dataclass(frozen=True, slots=True)
class Situation:
    """What a referral rests on. Balances in minor units."""

    currency: str
    balance_minor: int
    days_past_due: int
    attempts_without_contact: int
    refusals: int


@dataclass(frozen=True, slots=True)
class ReferralRule:
    """Fires when every threshold is reached. A balance is needed in a currency that the rule knows."""

    id: str
    days_past_due_min: int = 0
    attempts_without_contact_min: int = 0
    refusals_min: int = 0
    balance_minor_min: Mapping[str, int] | None = None

    def fires(self, case: Situation) -> bool:
        if self.balance_minor_min is not None:
            least = self.balance_minor_min.get(case.currency)
            if least is None or case.balance_minor < least:
                return False
        return (
            case.days_past_due >= self.days_past_due_min
            and case.attempts_without_contact >= self.attempts_without_contact_min
            and case.refusals >= self.refusals_min
        )


RULES = (
    ReferralRule(
        "large-balance",
        days_past_due_min=31,
        balance_minor_min={"TWD": 200_000_00, "CNY": 50_000_00, "USD": 7_000_00, "EUR": 6_000_00, "GBP": 5_000_00},
    ),
    ReferralRule("refuses-calls", refusals_min=2),
    ReferralRule(
        "unreachable",
        days_past_due_min=31,
        attempts_without_contact_min=3,
        balance_minor_min={"TWD": 5_000_00, "CNY": 1_000_00, "USD": 150_00, "EUR": 150_00, "GBP": 120_00},
    ),
    ReferralRule(
        "unreachable-early",
        days_past_due_min=1,
        attempts_without_contact_min=3,
        balance_minor_min={"TWD": 20_000_00, "CNY": 5_000_00, "USD": 700_00, "EUR": 600_00, "GBP": 500_00},
    ),
)


def warranting_rule(case: Situation) -> tuple[ReferralRule, dict[str, Any]] | None:
    """The first rule that fires, with the inputs that it fired on; None where no visit is warranted."""
    for rule in RULES:
        if rule.fires(case):
            return rule, {
                "currency": case.currency,
                "balance_minor": case.balance_minor,
                "days_past_due": case.days_past_due,
                "attempts_without_contact": case.attempts_without_contact,
                "refusals": case.refusals,
            }
    return None
