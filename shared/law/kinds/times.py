"""Kinds about when: hours of the day, holidays, quiet days, and the quiet after something happened."""

from datetime import date, datetime, time, timedelta
from functools import cached_property

from pydantic import Field, field_serializer, field_validator, model_validator

from shared.law.facts import Facts
from shared.law.kinds.base import Change, Days, Moment, Outcome, Parameters, missing, not_applicable
from shared.law.names import QUIET
from shared.law.terms import QuietReason

MIDNIGHT = time(0)


class HoursWindow(Parameters):
    """Allowed from … until, local time. Whether each end is still allowed is said by the rule.

    A `floor` applies only where no other pack of the place blocks by hours of its own, at this step and on this day.
    """

    from_: time = Field(alias="from")
    until: time
    from_included: bool = True
    until_included: bool = False
    floor: bool = False

    @field_serializer("from_", "until", when_used="json")
    def _as_written(self, value: time) -> str:
        return value.isoformat("minutes" if value.second == 0 else "auto")

    @cached_property
    def in_words(self) -> tuple[str, str]:
        """The hours with what holds at both ends, in English and Chinese."""
        start, end = clock(self.from_), clock(self.until)
        from_en, from_zh = (f"from {start}", f"{start} 起") if self.from_included else (f"after {start}", f"{start} 後")
        if self.until_included:
            return f"{from_en} until {end} inclusive", f"{from_zh}至 {end} 止（含 {end}）"
        return f"{from_en}, before {end}", f"{from_zh}至 {end} 前（不含 {end}）"

    @field_validator("from_", "until")
    @classmethod
    def _is_of_the_debtors_clock(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("a time of day bears no zone, such as 08:00: it is read on the debtor's own clock")
        return value

    @model_validator(mode="after")
    def _fires_and_runs_forwards(self) -> "HoursWindow":
        if self.from_ == MIDNIGHT and self.until >= time(23, 59):
            raise ValueError("the window covers the whole day, so that the rule could never fire")
        if self.from_ >= self.until:
            raise ValueError("the window is reversed: `from` must be before `until`")
        return self


def hours_window(window: HoursWindow, facts: Facts, moment: Moment) -> Outcome:
    """An act that lasts must lie in the window of one day, from its start to its end.

    It may end at `until` sharp wherever it may begin at all: whether that moment itself is still allowed
    (`until_included`) says whether an act may begin then.
    """
    local = moment.local
    at = local.time()
    satisfied = (at >= window.from_ if window.from_included else at > window.from_) and (
        at <= window.until if window.until_included else at < window.until
    )
    inputs = {"local_time": local.isoformat(), "time_zone": moment.time_zone}
    shown_en = shown_zh = clock(at)
    if facts.lasts is not None:
        end = local + facts.lasts
        satisfied = satisfied and end.date() == local.date() and end.time() <= window.until
        inputs["local_end"] = end.isoformat()
        ends = clock(end.time()) if end.date() == local.date() else f"{end:%Y-%m-%d} {clock(end.time())}"
        shown_en, shown_zh = f"{clock(at)} until {ends}", f"{clock(at)} 至 {ends}"
    hours_en, hours_zh = window.in_words
    return Outcome(
        satisfied,
        inputs,
        f"It is {shown_en} at the debtor's place; allowed is {hours_en}.",
        f"債務人當地時間為 {shown_zh}；允許時段為 {hours_zh}。",
    )


def clock(told: time) -> str:
    """A time of day, its seconds only where there are some."""
    return f"{told:%H:%M:%S}" if told.second or told.microsecond else f"{told:%H:%M}"


def hours_change(window: HoursWindow, facts: Facts) -> list[Change]:
    changes: list[Change] = [window.from_, window.until]
    if facts.lasts:
        # Who begins later than this is not done in time; an act longer than a day never is.
        begin = datetime.combine(date.max, window.until) - facts.lasts
        changes += [begin.time()] if begin.date() == date.max else []
    return changes


class NoHoliday(Parameters):
    """Not on a public holiday of the debtor's region, nor into one."""


def no_holiday(parameters: NoHoliday, facts: Facts, moment: Moment) -> Outcome:
    if facts.country is None:
        return missing("country")
    if not moment.holidays_known:
        where = f"{facts.region} ({facts.country})" if facts.region else facts.country
        en, zh = f"No calendar of holidays is known for {where}.", f"查無 {where} 之假日曆。"
        return Outcome(None, {}, en, zh, ("region" if facts.region else "holidays",))
    day, name = moment.holiday_on or moment.day, moment.holiday
    inputs = {"day": str(day), "country": facts.country, "holiday": name}
    if name:
        name_zh = moment.holiday_zh or name
        return Outcome(False, inputs, f"{day} is a public holiday ({name}).", f"{day} 為國定假日（{name_zh}）。")
    return Outcome(True, inputs, "It is no public holiday.", "非國定假日。")


class Moratorium(Parameters):
    """No contact on the days of a recorded quiet period, the first of them day 1.

    `days_max` is the number of its days where nobody has recorded when it ends.
    """

    reasons: tuple[QuietReason, ...] = Field(min_length=1)
    days_max: Days | None = None


def moratorium(parameters: Moratorium, facts: Facts, moment: Moment) -> Outcome:
    first, end = moment.day, moment.last_day
    for period in facts.quiet_periods:
        last = period.last_day
        if last is None and parameters.days_max is not None:
            last = period.first_day + timedelta(days=parameters.days_max - 1)
        if period.reason in parameters.reasons and period.first_day <= end and (last is None or first <= last):
            until_en, until_zh = (f"until {last}", f"至 {last} 止") if last else ("with no end on record", "未載明終日")
            en, zh = QUIET[period.reason]
            return Outcome(
                False,
                {"reason": period.reason, "first_day": str(period.first_day), "last_day": str(last) if last else None},
                f"A quiet period ({en}) runs {until_en}.",
                f"停止催收期間（{zh}）{until_zh}。",
            )
    return Outcome(True, {"quiet_periods": len(facts.quiet_periods)}, "No quiet period runs.", "無停止催收期間。")


class CoolOff(Parameters):
    """Days of quiet after something happened; the day on which it happened is day 1."""

    after: str = Field(pattern="^(conversations|asked_to_leave)$")
    days: Days


def cool_off(parameters: CoolOff, facts: Facts, moment: Moment) -> Outcome:
    happened = getattr(facts, parameters.after)
    if happened is None:
        return missing(parameters.after)
    until_now = [each for each in happened if each <= moment.local]
    if not until_now:
        return not_applicable({parameters.after: 0})
    last: date = max(until_now).astimezone(moment.local.tzinfo).date()
    free = last + timedelta(days=parameters.days)
    return Outcome(
        moment.day >= free,
        {parameters.after: str(last), "days": parameters.days},
        f"It last happened on {last}; the next contact may be made from {free} on.",
        f"最近一次發生於 {last}；自 {free} 起方得再次接觸。",
    )


def cool_off_change(parameters: CoolOff, facts: Facts) -> list[Change]:
    return list(getattr(facts, parameters.after) or ())
