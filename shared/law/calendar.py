"""Where and when: the zone of a place, and the public holidays of a region, make-up working days included.

Zones come from timezonefinder, overridden where a country's law knows one hour; holidays from the holidays library,
with what it leaves out: general holidays of Hong Kong, and weekend days that are part of an official holiday.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ONE_ZONE_COUNTRIES = {"CN": "Asia/Shanghai", "TW": "Asia/Taipei"}
SATURDAY = 5
# Categories of the holidays library, where a country's public holidays are more than those of its default.
CATEGORIES = {"HK": ("public", "optional")}
# Where weekend days belong to an official holiday: those that touch one (cn), or lie between two days of one (hk).
WEEKENDS_THAT_TOUCH, WEEKENDS_BETWEEN = frozenset({"CN"}), frozenset({"HK"})
# Where the government announces each year which days are off, and which weekend days make up for them.
DAYS_OFF_ANNOUNCED = frozenset({"CN"})
ONE_DAY = timedelta(days=1)
ENGLISH, CHINESE = ("en_US", "en_GB"), ("zh_TW", "zh_CN")


class UnknownPlace(ValueError):
    """No time zone can be told: the position is missing, at sea, or out of range. `zh` says it in Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.zh = zh


def zone_of(latitude: float | None, longitude: float | None, country: str | None) -> str:
    """IANA name of the zone at a position (degrees). Raises UnknownPlace."""
    if country in ONE_ZONE_COUNTRIES:
        return ONE_ZONE_COUNTRIES[country]
    if latitude is None or longitude is None:
        raise UnknownPlace("neither a zone, nor a position to find it by", "無時區，亦無可供判定之座標")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise UnknownPlace("the position is not on the earth", "座標不在地球上")
    name = _zone_at(round(latitude, 3), round(longitude, 3))
    if name is None or name.startswith("Etc/"):
        raise UnknownPlace("the position lies at sea", "座標位於海上")
    return name


@cache
def _finder() -> Any:
    from timezonefinder import TimezoneFinder  # costs a second; most processes never need it

    # In memory: a mapped file would be closed by nobody and warn when the process ends.
    return TimezoneFinder(in_memory=True)


@cache
def _zone_at(latitude: float, longitude: float) -> str | None:
    name: str | None = _finder().timezone_at(lat=latitude, lng=longitude)
    return name


@cache
def zone(name: str) -> ZoneInfo:
    """A zone by its name. Raises UnknownPlace for a name that IANA does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UnknownPlace(f"there is no time zone {name!r}", f"查無時區 {name}") from None


@lru_cache(maxsize=10_000)
def clock_change(name: str, day: date) -> datetime | None:
    """The moment (UTC) of a local day at which the clocks there are put forward or back, or None."""
    there = zone(name)
    start = datetime.combine(day, time(0), there).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(0), there).astimezone(UTC)
    before, after = (each.astimezone(there).utcoffset() for each in (start, end))
    if before == after:
        return None
    while end - start > timedelta(seconds=1):
        middle = start + (end - start) // 2
        start, end = (middle, end) if middle.astimezone(there).utcoffset() == before else (start, middle)
    return end.replace(microsecond=0)


@cache
def _holidays(country: str, region: str | None, year: int, languages: tuple[str, ...] = ENGLISH) -> Any:
    """The calendar of a year, its names in the first of the languages that it knows, or else in its own: never in that
    of the machine. A region counts where regions have days of their own; an unknown one there has none."""
    import holidays

    try:
        known = holidays.country_holidays(country)
        subdivision = region if region and known.subdivisions else None
        spoken = next((each for each in languages if each in known.supported_languages), None)
        categories = CATEGORIES.get(country)
        return holidays.country_holidays(
            country, subdiv=subdivision, years=year, language=spoken, categories=categories
        )
    except NotImplementedError:
        return None


@lru_cache(maxsize=10_000)
def holiday_on(country: str | None, region: str | None, day: date) -> str | None:
    """Name of the public holiday on a day, or None. A weekend day is one where it is part of an official holiday.
    Unknown countries have none."""
    return _name_of(country, region, day, ENGLISH) if country else None


@lru_cache(maxsize=10_000)
def holiday_in_chinese(country: str | None, region: str | None, day: date) -> str | None:
    """Name of the public holiday on a day in Chinese; None where there is none, or none in that language."""
    known = _holidays(country, region, day.year, CHINESE) if country else None
    if country is None or known is None or known.language not in CHINESE:
        return None
    return _name_of(country, region, day, CHINESE)


def _name_of(country: str, region: str | None, day: date, languages: tuple[str, ...]) -> str | None:
    """The name of a holiday. That of a weekend day in an official holiday is the name of the holiday's first day."""
    listed = _listed(country, region, day, languages)
    if listed or country not in WEEKENDS_THAT_TOUCH | WEEKENDS_BETWEEN or not _is_free_weekend(country, region, day):
        return listed
    before, after = (_past_weekend(country, region, day, step) for step in (-ONE_DAY, ONE_DAY))
    around = [_listed(country, region, each, languages) for each in (before, after)]
    if not (all(around) or (country in WEEKENDS_THAT_TOUCH and any(around))):
        return None
    first, name = before, around[1]
    while (found := _listed(country, region, first, languages)) or _is_free_weekend(country, region, first):
        first, name = first - ONE_DAY, found or name
    return name


def _listed(country: str, region: str | None, day: date, languages: tuple[str, ...]) -> str | None:
    known = _holidays(country, region, day.year, languages)
    name: str | None = known.get(day) if known is not None else None
    return name


def _is_free_weekend(country: str, region: str | None, day: date) -> bool:
    """Whether a day is a Saturday or Sunday that makes up for no other day."""
    return day.weekday() >= SATURDAY and not is_business_day(country, region, day)


def _past_weekend(country: str, region: str | None, day: date, step: timedelta) -> date:
    """The next day in a direction that is a listed holiday, or no free weekend day."""
    day += step
    while _is_free_weekend(country, region, day) and _listed(country, region, day, ENGLISH) is None:
        day += step
    return day


def days_off_unknown(country: str | None, region: str | None, day: date) -> bool:
    """Whether the country's government announces the days off of each year, and those of this year are not known."""
    if country not in DAYS_OFF_ANNOUNCED:
        return False
    known = _holidays(country, region, day.year)
    return known is not None and all(each.year != day.year for each in known.weekend_workdays)


def holidays_known(country: str | None, region: str | None, day: date) -> bool:
    """Whether there is a calendar of the region at all."""
    return country is not None and _holidays(country, region, day.year) is not None


def is_business_day(country: str | None, region: str | None, day: date) -> bool:
    """Whether offices work: a weekday that is no holiday, or a weekend day that makes up for one."""
    known = _holidays(country, region, day.year) if country else None
    if known is None:
        return day.weekday() < SATURDAY
    return bool(known.is_working_day(day))


def add_business_days(country: str | None, region: str | None, day: date, days: int) -> date:
    """The day that is so many business days later."""
    while days > 0:
        day += timedelta(days=1)
        days -= is_business_day(country, region, day)
    return day


@cache
def data_versions() -> dict[str, str]:
    """Versions of the data that decisions rest on, to be stored with them."""
    return {name: version(name) for name in ("holidays", "timezonefinder", "tzdata") if _installed(name)}


def _installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True
