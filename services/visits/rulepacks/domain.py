"""The register's decisions: who may bring a version into force, and from which day on; and what a version would have
decided on past acts. Pure: texts are read and acts judged by shared.law."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from shared.errors import Conflict, Forbidden, Invalid

EXAMPLES_MAX = 5
# Somewhere on earth it is already this much later: a version must be known everywhere before its first day anywhere.
EARLIEST_ZONE = timedelta(hours=14)


class PackStatus(StrEnum):
    """SHIPPED: came with the program. PROPOSED waits for a second person."""

    SHIPPED = "SHIPPED"
    PROPOSED = "PROPOSED"
    ACTIVATED = "ACTIVATED"
    REJECTED = "REJECTED"


def check_first_day(effective_from: date, now: datetime) -> None:
    """A version comes into force on a day that has begun nowhere yet. Raises Invalid."""
    today = (now.astimezone(UTC) + EARLIEST_ZONE).date()
    if effective_from <= today:
        raise Invalid(
            "effective-too-early",
            f"A version is in force from a day that has not begun anywhere: {today + timedelta(days=1)} or later.",
        )


def check_decidable(status: str, uploaded_by: str, decided_by: str) -> None:
    """Four eyes: a version is decided upon once, by somebody else than who brought it. Raises Conflict, Forbidden."""
    if status != PackStatus.PROPOSED:
        raise Conflict("pack-decided", f"This version is {status} already.")
    if uploaded_by == decided_by:
        raise Forbidden("four-eyes", "Who uploaded a version does not decide upon it: ask a colleague.")


@dataclass(slots=True)
class RuleChange:
    """How often a rule passed, warned and blocked, before and after; and decisions in which that differs."""

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    examples: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class BackTest:
    """What a version would have decided, rule by rule. "none": the rule was not judged."""

    decisions: int = 0
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: dict[str, RuleChange] = field(default_factory=dict)

    def add(
        self,
        decision_id: UUID,
        *,
        before: Mapping[str, str],
        after: Mapping[str, str],
        verdict_before: str,
        verdict_after: str,
    ) -> None:
        """Count one decision. `before` and `after` map the pack's rules to their verdicts."""
        self.decisions += 1
        self.verdicts[verdict_before, verdict_after] += 1
        for rule_id in sorted(before.keys() | after.keys()):
            change = self.rules.setdefault(rule_id, RuleChange())
            was, would_be = before.get(rule_id, "none"), after.get(rule_id, "none")
            change.before[was] += 1
            change.after[would_be] += 1
            if was != would_be:
                change.changed += 1
                if len(change.examples) < EXAMPLES_MAX:
                    change.examples.append(decision_id)
