"""Which law applies at a place: the one mapping of countries and regions to packs, for every door and for the gate.

A jurisdiction is named as a pack is (uk, us-ma), or as a place is (gb, fr, us-ny): the names that follow from it lead
from the narrowest law to the widest, and the first that has a pack in force counts. No clock, no I/O.
"""

from functools import lru_cache

_ISO_3166_1 = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
_EU_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
COUNTRIES = frozenset(_ISO_3166_1.split())
# Packs that are not named as their country is, and the law that a country shares with others.
_PACK_OF = {"GB": "uk"}
_SHARED_LAW = dict.fromkeys(_EU_MEMBERS.split(), "eu")
_COUNTRY_OF = {pack: country for country, pack in _PACK_OF.items()}


@lru_cache(maxsize=1_000)
def laws_of(country: str, region: str | None = None) -> tuple[str, ...]:
    """Ids of the packs that may be the law of a country (ISO 3166-1) and region (ISO 3166-2 without the country), the
    narrowest first: us-ma, us; fr, eu; uk."""
    own = _PACK_OF.get(country, country.lower())
    part = (f"{own}-{region.lower()}",) if region else ()
    shared = (_SHARED_LAW[country],) if country in _SHARED_LAW else ()
    return (*part, own, *shared)


@lru_cache(maxsize=1_000)
def laws_named(jurisdiction: str) -> tuple[str, ...]:
    """Ids of the packs that may be meant by the name of a jurisdiction, the narrowest first. One that is no country's
    means the pack of that name alone."""
    country = country_named(jurisdiction)
    if country is None:
        return (jurisdiction,)
    return laws_of(country, region_named(jurisdiction))


def country_named(jurisdiction: str) -> str | None:
    """The country (ISO 3166-1) of a jurisdiction: US of us-ny, GB of uk; None for one that is no country's."""
    head = jurisdiction.partition("-")[0]
    country = _COUNTRY_OF.get(head, head.upper())
    return country if country in COUNTRIES else None


def region_named(jurisdiction: str) -> str | None:
    """The part of the country that a jurisdiction names: NY of us-ny."""
    return jurisdiction.partition("-")[2].upper() or None


def may_be_law_of(jurisdiction: str, country: str, region: str | None = None) -> bool:
    """Whether a jurisdiction can be that of a place. A pack that belongs to no country is not held to one."""
    if country_named(jurisdiction) is None and jurisdiction not in _SHARED_LAW.values():
        return True
    return laws_named(jurisdiction)[0] in laws_of(country, region or region_named(jurisdiction))
