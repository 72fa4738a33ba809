"""Where an address lies, and what follows from that: the law there and the clock. A row of a file says it; the feed
profile is the default where the row says nothing. What contradicts itself is refused in words, nothing is guessed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from shared.bodies import names_nothing
from shared.errors import Invalid
from shared.law import COUNTRIES, UnknownPlace, is_mistyped, laws_of, region_named, zone_of

# The zones (IANA) of the countries whose law is known here; of any other country none is known to be wrong.
_ZONES = {
    "TW": "Asia/Taipei", "CN": "Asia/Shanghai", "IN": "Asia/Kolkata", "GB": "Europe/London",
    "US": "America/New_York America/Detroit America/Kentucky/Louisville America/Kentucky/Monticello "
    "America/Indiana/Indianapolis America/Indiana/Vincennes America/Indiana/Winamac America/Indiana/Marengo "
    "America/Indiana/Petersburg America/Indiana/Vevay America/Chicago America/Indiana/Tell_City America/Indiana/Knox "
    "America/Menominee America/North_Dakota/Center America/North_Dakota/New_Salem America/North_Dakota/Beulah "
    "America/Denver America/Boise America/Phoenix America/Los_Angeles America/Anchorage America/Juneau America/Sitka "
    "America/Metlakatla America/Yakutat America/Nome America/Adak Pacific/Honolulu",
}  # fmt: skip
_ZONES_EU = {
    "AT": "Europe/Vienna", "BE": "Europe/Brussels", "BG": "Europe/Sofia", "CY": "Asia/Nicosia Asia/Famagusta",
    "CZ": "Europe/Prague", "DE": "Europe/Berlin Europe/Busingen", "DK": "Europe/Copenhagen", "EE": "Europe/Tallinn",
    "ES": "Europe/Madrid Africa/Ceuta Atlantic/Canary", "FI": "Europe/Helsinki Europe/Mariehamn",
    "FR": "Europe/Paris", "GR": "Europe/Athens", "HR": "Europe/Zagreb", "HU": "Europe/Budapest",
    "IE": "Europe/Dublin", "IT": "Europe/Rome", "LT": "Europe/Vilnius", "LU": "Europe/Luxembourg",
    "LV": "Europe/Riga", "MT": "Europe/Malta", "NL": "Europe/Amsterdam", "PL": "Europe/Warsaw",
    "PT": "Europe/Lisbon Atlantic/Madeira Atlantic/Azores", "RO": "Europe/Bucharest", "SE": "Europe/Stockholm",
    "SI": "Europe/Ljubljana", "SK": "Europe/Bratislava",
}  # fmt: skip
ZONES = {country: tuple(names.split()) for country, names in (_ZONES | _ZONES_EU).items()}
CLOCK_AHEAD_MAX = timedelta(minutes=5)
FIRST_CLOCK = timedelta(hours=14)  # of the place on earth where a day begins first
# So long a profile's proof counts for the files that come after it; a file may always bring a proof of its own.
NOTICE_COUNTS = timedelta(days=92)


class Defaults(Protocol):
    """What a feed profile says of all its rows."""

    @property
    def country(self) -> str: ...
    @property
    def region(self) -> str | None: ...
    @property
    def jurisdiction(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Country (ISO 3166-1) and the part of it (ISO 3166-2 without the country)."""

    country: str
    region: str | None = None


class NoClock(ValueError):
    """The clock at an address cannot be told; the message says why, and what helps."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def place_of(country: str, region: str, defaults: Defaults) -> Place:
    """Where a row lies, by its own cells; what they leave empty is the profile's, as far as it is the same country."""
    if country and country != defaults.country:
        return Place(country, region or None)
    return Place(defaults.country, region or region_of(defaults))


def region_of(defaults: Defaults) -> str | None:
    """The part of the country that a profile names, by itself or by its law (us-ma)."""
    return defaults.region or region_named(defaults.jurisdiction)


def clock_at(place: Place, position: tuple[float, float] | None, defaults: Defaults) -> str:
    """The zone of an address (IANA): its country's only one, that of its position (degrees), or the profile's where
    the address is where the profile is. Raises NoClock."""
    zones = ZONES.get(place.country, ())
    if len(zones) == 1:
        return zones[0]
    if position is not None:
        return _clock_by_position(place, position, zones)
    if place == Place(defaults.country, region_of(defaults) or place.region):
        return defaults.time_zone
    raise NoClock("position-needed", "There is more than one clock in this country: latitude and longitude are needed.")


def _clock_by_position(place: Place, position: tuple[float, float], zones: tuple[str, ...]) -> str:
    try:
        name = zone_of(*position, place.country)
    except UnknownPlace as unknown:
        raise NoClock("position-not-in-country", f"The clock at the position cannot be told: {unknown}.") from None
    if zones and name not in zones:
        message = "The position lies in a time zone that is none of the row's country. One of the two is wrong."
        raise NoClock("position-not-in-country", message)
    return name


def check_notice(sent_at: datetime, proof_digest: str, now: datetime) -> None:
    """A notice that a profile or a file proves was sent already, and its proof is one. Raises Invalid."""
    errors = []
    if sent_at > now + CLOCK_AHEAD_MAX:
        what = f"{sent_at.isoformat()} lies in the future: say when the notice was sent"
        errors.append({"where": "notice.sent_at", "what": what})
    if is_mistyped(sent_at):
        errors.append({"where": "notice.sent_at", "what": "the year must be 2000 or later: correct the date"})
    if names_nothing(proof_digest):
        what = "this is the digest of nothing: send the SHA-256 of the proof"
        errors.append({"where": "notice.proof_digest", "what": what})
    if errors:
        raise Invalid("notice", "The notice must be sent already: see `errors`.", errors=errors)


def check_review(reviewed_on: date | None, now: datetime) -> None:
    """A review has taken place, by the calendar of some place on earth. Raises Invalid."""
    if reviewed_on is not None and reviewed_on > (now + FIRST_CLOCK).astimezone(UTC).date():
        raise Invalid("in-the-future", "`reviewed_on` must not be in the future: record a review after it took place.")


def counts_for(sent_at: datetime, received_at: datetime) -> bool:
    """Whether the proof of a notice in a profile is one for a file that came at a time."""
    return received_at - NOTICE_COUNTS <= sent_at <= received_at + CLOCK_AHEAD_MAX


def _laws_to_name(place: Place) -> tuple[str, ...]:
    """The laws that a profile may name: that of the part of the country, and the widest. Which one a row is judged by
    follows from where it is."""
    *narrower, widest = laws_of(place.country, place.region)
    return (*narrower[:1], widest) if place.region else (widest,)


def check_defaults(defaults: Defaults) -> None:
    """Country, part of it, law and clock of a profile fit each other. Raises Invalid with each that does not."""
    place = Place(defaults.country, region_of(defaults))
    zones, laws = ZONES.get(place.country, ()), _laws_to_name(place)
    errors = []
    if place.country not in COUNTRIES:
        what = f"{place.country} is no country: write its code of ISO 3166-1, such as GB for the United Kingdom"
        errors.append({"where": "country", "what": what})
    elif defaults.jurisdiction not in laws:
        what = f"{defaults.jurisdiction} is no law of {place.country}: there is {' or '.join(laws)}"
        errors.append({"where": "jurisdiction", "what": what})
    if zones and defaults.time_zone not in zones:
        what = f"{defaults.time_zone} is no zone of {place.country}: there is {' or '.join(zones)}"
        errors.append({"where": "time_zone", "what": what})
    if errors:
        raise Invalid("profile", "The profile contradicts itself: see `errors` for the fields.", errors=errors)
