"""From facts to a moment at the debtor's place. What is looked up (zone, offset, holiday, versions of the data) is
written down in the facts, and used from there ever after: newer data cannot change an old decision.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from shared.law import calendar
from shared.law.facts import Facts, Resolved
from shared.law.kinds.base import Moment
from shared.law.terms import Step

DAYS_LOOKED_AT = 366


def zone_name_of(facts: Facts) -> str:
    """IANA name of the zone at the debtor's place. Where a country's law knows one hour, no zone that a file names for
    a place there counts against it. Raises UnknownPlace."""
    law_hour = calendar.ONE_ZONE_COUNTRIES.get(facts.country or "")
    return law_hour or facts.time_zone or calendar.zone_of(facts.latitude, facts.longitude, facts.country)


def with_offset(at: datetime, zone: ZoneInfo) -> datetime:
    """The local time, bearing its offset alone: sums with it are sums of elapsed time."""
    there = at.astimezone(zone)
    return there.replace(tzinfo=timezone(there.utcoffset() or timedelta(0)), fold=0)


def moment_at(facts: Facts, step: Step, at: datetime, zone_name: str) -> Moment:
    """The moment, looked up in the data of today. Raises UnknownPlace."""
    local = with_offset(at, calendar.zone(zone_name))
    country, region = facts.country, facts.region
    bare = Moment(step, local, zone_name, ends=None if facts.lasts is None else local + facts.lasts)
    day = _first_holiday(facts, bare) or bare.day
    return replace(
        bare,
        holiday=calendar.holiday_on(country, region, day),
        holidays_known=calendar.holidays_known(country, region, day),
        holiday_zh=calendar.holiday_in_chinese(country, region, day),
        holiday_on=None if day == bare.day else day,
        days_off_unknown=any(calendar.days_off_unknown(country, region, each) for each in {bare.day, bare.last_day}),
    )


def _first_holiday(facts: Facts, moment: Moment) -> date | None:
    """The first holiday of the days of an act; of its first year only, for an act without a sound end."""
    days = min((moment.last_day - moment.day).days, DAYS_LOOKED_AT)
    of_act = (moment.day + timedelta(days=number) for number in range(days + 1))
    return next((day for day in of_act if calendar.holiday_on(facts.country, facts.region, day)), None)


def moment_of(facts: Facts, step: Step) -> Moment:
    """The moment of the act: as it was resolved once, or looked up now. Raises UnknownPlace."""
    known = facts.resolved
    if known is None or known.at != facts.at:
        return moment_at(facts, step, facts.at, zone_name_of(facts))
    offset = timezone(timedelta(seconds=known.utc_offset_seconds))
    local = facts.at.astimezone(offset)
    return Moment(
        step,
        local,
        known.time_zone,
        known.holiday,
        known.holidays_known,
        known.holiday_zh,
        ends=local + facts.lasts if known.to_the_end and facts.lasts is not None else None,
        holiday_on=known.holiday_on,
        days_off_unknown=known.days_off_unknown,
    )


def resolved_by(facts: Facts, moment: Moment) -> Facts:
    """The facts with what the moment was resolved to written down, if it is not already."""
    if facts.resolved is not None and facts.resolved.at == facts.at:
        return facts
    resolved = Resolved.model_construct(
        at=facts.at,
        time_zone=moment.time_zone,
        utc_offset_seconds=int((moment.local.utcoffset() or timedelta(0)).total_seconds()),
        holiday=moment.holiday,
        holidays_known=moment.holidays_known,
        holiday_zh=moment.holiday_zh,
        data=calendar.data_versions(),
        to_the_end=moment.ends is not None,
        holiday_on=moment.holiday_on,
        days_off_unknown=moment.days_off_unknown,
    )
    return facts.model_copy(update={"resolved": resolved})


def local_day(facts: Facts) -> date:
    """The day of the act at the debtor's place; its own date where no zone can be told."""
    try:
        if facts.resolved is not None and facts.resolved.at == facts.at:
            return moment_of(facts, Step.PLAN).day
        return facts.at.astimezone(calendar.zone(zone_name_of(facts))).date()
    except calendar.UnknownPlace:
        return facts.at.date()
