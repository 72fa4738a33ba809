"""What every kind of rule is made of: its parameters, the moment that is judged, and the outcome that comes back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.law.facts import Facts
from shared.law.names import listed, name_of
from shared.law.terms import Step

INSTANT = timedelta.resolution
# A limit on everything that a law may count: no sum leaves the calendar, and a slip of the pen is seen.
Days = Annotated[int, Field(ge=1, le=3_660)]
Months = Annotated[int, Field(ge=1, le=1_200)]
COUNT_MAX = 1_000
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]
Tolerance = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class Parameters(BaseModel):
    """Parameters of a kind; the text of a pack is held to them strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of the act at the debtor's place, and what the calendar there says of the day.

    Kinds take the time from here, never from the facts: windows of a day are found by moving the moment alone.
    `holidays_known` is false where no calendar of the region is at hand; `holiday_zh` is the holiday's name in Chinese,
    where the calendar has one.

    `ends` is the local time at which the act ends; None where it is unknown, or where a decision of an earlier release,
    which judged the start alone, is run again. `holiday_on` is the day of a holiday that begins during the act.
    `days_off_unknown`: the calendar does not yet know which days that year makes up for others.
    """

    step: Step
    local: datetime
    time_zone: str
    holiday: str | None = None
    holidays_known: bool = True
    holiday_zh: str | None = None
    ends: datetime | None = None
    holiday_on: date | None = None
    days_off_unknown: bool = False

    @property
    def day(self) -> date:
        return self.local.date()

    @property
    def end(self) -> datetime:
        """The end of the act; its start where no end is known."""
        return self.local if self.ends is None else self.ends

    @property
    def last_day(self) -> date:
        """The day on which the act ends. One that ends at midnight sharp ends on the day before."""
        return max(self.day, (self.end - INSTANT).date())


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the rule is satisfied (None: a fact is missing, and named), on which inputs, and why in words."""

    satisfied: bool | None
    inputs: dict[str, Any] = field(default_factory=dict)
    en: str = ""
    zh: str = ""
    missing: tuple[str, ...] = ()


P = TypeVar("P", bound=Parameters)


Change = time | datetime


def no_changes(parameters: Any, facts: Facts) -> list[Change]:
    """The verdict changes at midnight at most."""
    return []


def day_changes(parameters: Any, facts: Facts) -> list[Change]:
    """The verdict changes at midnight, and at the hour from which on the act ends on the next day."""
    if not facts.lasts:
        return []
    return [(datetime.combine(date.max, time(0)) - facts.lasts % timedelta(days=1)).time()]


def at_start_or_end(moment: datetime, facts: Facts) -> list[datetime]:
    """When an act begins, or ends, at a moment."""
    return [moment, moment - facts.lasts] if facts.lasts else [moment]


def no_needs(parameters: Any) -> tuple[str, ...]:
    """What it asks can be known at every step."""
    return ()


def needs(*names: str) -> Callable[[Any], tuple[str, ...]]:
    """The same facts, whatever the parameters."""
    return lambda parameters: names


@dataclass(frozen=True, slots=True)
class Kind(Generic[P]):
    """`needs` names the facts without any of which a rule cannot be judged, and so the steps at which it can be.

    `changes` lists when a verdict can change, other than at midnight: a time of every day, or a moment. `judge` is None
    where a rule is read (a period) and not judged.
    """

    parameters: type[P]
    judge: Callable[[P, Facts, Moment], Outcome] | None
    changes: Callable[[P, Facts], list[Change]] = no_changes
    needs: Callable[[P], tuple[str, ...]] = no_needs


def missing(*names: str) -> Outcome:
    """Facts that the rule needs and nobody has recorded, by their codes."""
    en, zh = listed(map(name_of, names))
    return Outcome(None, {}, f"Not known, and needed: {en}.", f"缺少必要資料：{zh}。", names)


def not_applicable(inputs: dict[str, Any] | None = None) -> Outcome:
    return Outcome(True, inputs or {}, "The rule does not apply here.", "本規則於此不適用。")
