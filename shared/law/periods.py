"""What other services read from the packs: how long records are kept, and by when something must be answered."""

from dataclasses import dataclass
from datetime import date

from shared.law.dates import months_after
from shared.law.kinds.periods import Deadline, Matter, Records, Retention
from shared.law.packs import RulePack
from shared.law.rules import Rule


class NoSuchPeriod(LookupError):
    """No pack in force names a period for this."""


@dataclass(frozen=True, slots=True)
class RetentionPeriod:
    """Keep so many years from `starts` ("record" or "last-activity"), by this rule and source."""

    years: int
    starts: str
    rule_id: str
    source: str

    def kept_until(self, start: date) -> date:
        """The last day on which what began on `start` is kept."""
        return months_after(start, self.years * 12)


@dataclass(frozen=True, slots=True)
class Due:
    """The last day for an answer, by this rule and source."""

    on: date
    rule_id: str
    source: str


def retention_for(packs: tuple[RulePack, ...], records: Records, day: date) -> RetentionPeriod:
    """How long records of a class are kept: the longest period that the law of the place names for it (or for all
    records); where it names none, the house's. Raises NoSuchPeriod."""
    found = [(pack.id, rule, rule.parameters) for pack, rule in _in_force(packs, day)]
    named = [
        (parameters.years, rule, parameters.starts, pack_id)
        for pack_id, rule, parameters in found
        if isinstance(parameters, Retention) and parameters.records in (records, "all")
    ]
    of_law = [each for each in named if each[3] != "house"]
    if not named:
        raise NoSuchPeriod(f"no pack names how long records of the class {records!r} are kept")
    years, rule, starts, _ = max(of_law or named, key=lambda each: each[0])
    return RetentionPeriod(years, starts, rule.id, rule.source)


def deadline_for(
    packs: tuple[RulePack, ...], matter: Matter, start: date, *, country: str | None = None, region: str | None = None
) -> Due:
    """By when something that came in on `start` (a local day) must be answered: the earliest day that any pack names.
    Raises NoSuchPeriod."""
    due = [
        Due(rule.parameters.due_on(start, country, region), rule.id, rule.source)
        for _, rule in _in_force(packs, start)
        if isinstance(rule.parameters, Deadline) and rule.parameters.matter == matter
    ]
    if not due:
        raise NoSuchPeriod(f"no pack names a deadline for the matter {matter!r}")
    return min(due, key=lambda each: each.on)


def _in_force(packs: tuple[RulePack, ...], day: date) -> list[tuple[RulePack, Rule]]:
    return [(pack, rule) for pack in packs for rule in pack.rules if rule.in_force(day)]
