"""Where and when: the zone of a place, and the public holidays of a region, make-up working days included.

Zones come from timezonefinder, overridden where a country's law knows one hour; holidays from the holidays library.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ONE_ZONE_COUNTRIES = {"CN": "Asia/Shanghai", "TW": "Asia/Taipei"}
SATURDAY = 5
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
        return holidays.country_holidays(country, subdiv=subdivision, years=year, language=spoken)
    except NotImplementedError:
        return None


@lru_cache(maxsize=10_000)
def holiday_on(country: str | None, region: str | None, day: date) -> str | None:
    """Name of the public holiday on a day, or None. Weekends are no holidays. Unknown countries have none."""
    known = _holidays(country, region, day.year) if country else None
    name: str | None = known.get(day) if known is not None else None
    return name


@lru_cache(maxsize=10_000)
def holiday_in_chinese(country: str | None, region: str | None, day: date) -> str | None:
    """Name of the public holiday on a day in Chinese; None where there is none, or none in that language."""
    known = _holidays(country, region, day.year, CHINESE) if country else None
    if known is None or known.language not in CHINESE:
        return None
    name: str | None = known.get(day)
    return name


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
