"""What other services read from the packs: how long records are kept, and by when something must be answered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.law.case import Case
from shared.law.dates import months_after
from shared.law.kinds.periods import Deadline, Matter, Records, Retention
from shared.law.packs import RulePack
from shared.law.register import Law
from shared.law.rules import Rule

# The class of records that no case gives one: those of people, plans and packs, and of older releases.
HOUSE_CLASS = "house-retain"

# Which class of records the law of a place names for a product. Other products may be of any class.
_RECORDS_OF_PRODUCT: dict[str, Records] = {
    "CREDIT_CARD": "card",
    "CONSUMER_FINANCE": "consumer-finance",
    "CONSUMER_LOAN": "consumer-finance",
}
_OF_COLLECTION: tuple[Records, ...] = ("all", "card", "consumer-finance")


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


def retention_of(law: Law, cases: Iterable[Case], at: datetime) -> RetentionPeriod:
    """How long the record of something is kept that happened to these cases: the longest of their periods. A product
    of no known class has the longest period that the law of the place names. Raises NoSuchPeriod."""
    periods = [
        _of_case(law, each.jurisdiction, each.country, each.region, each.product, _day(each, at)) for each in cases
    ]
    return _longest(periods)


def _day(case: Case, at: datetime) -> date:
    return at.astimezone(ZoneInfo(case.time_zone)).date() if case.time_zone else at.date()


@lru_cache(maxsize=1_000)
def _of_case(
    law: Law, jurisdiction: str, country: str | None, region: str | None, product: str | None, day: date
) -> RetentionPeriod:
    packs = law.packs_at(jurisdiction, country, region, day)
    known = _RECORDS_OF_PRODUCT.get(product or "")
    return _longest(retention_for(packs, records, day) for records in ((known,) if known else _OF_COLLECTION))


def _longest(periods: Iterable[RetentionPeriod]) -> RetentionPeriod:
    """The longest period; of two with as many years the one that starts later, then the first."""
    return max(periods, key=lambda each: (each.years, each.starts == "last-activity"))


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
