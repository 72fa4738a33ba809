"""Where a debtor lives decides by which law and by which clock the case is judged: the row says it, the profile is the
default. On both databases."""

import pytest

from services.cli.demo import acts
from shared.auth import Role
from tests.actors.samples import PROFILE
from tests.one_service import LENDER

PLACE = "account,balance,days,lat,lon,country,region"
COLUMNS = {"account_ref": "account", "balance": "balance", "days_past_due": "days", "latitude": "lat",
           "longitude": "lon", "country": "country", "region": "region"}  # fmt: skip
US = {"columns": COLUMNS, "currency": "USD", "country": "US", "jurisdiction": "us", "time_zone": "America/New_York"}
TW = {"columns": COLUMNS, "currency": "USD"}


async def registered(system, profile, expect=200):
    await system.actor(Role.ADMIN).does(acts.register_lender(LENDER))
    path = f"/cases/v1/lenders/{LENDER}/profile"
    answer = await system.client.put(path, json=PROFILE | profile, headers=system.bearer(Role.ADMIN))
    assert answer.status_code == expect, answer.text
    return answer.json()


async def placed(system, profile, *cells):
    """The file's rows end in these cells: latitude, longitude, country, region. Gives back cases and refusals."""
    await registered(system, profile)
    lines = [f"A-{number},250000,60,{each}" for number, each in enumerate(cells)]
    placement = await system.take_in("\n".join([PLACE, *lines, ""]).encode())
    items = (await system.get("/cases"))["items"]
    cases = {each["accounts"][0]["account_ref"]: each for each in items}
    errors = (await system.get(f"{placement}/errors"))["items"]
    told = {name: (each["jurisdiction"], each["country"], each["time_zone"]) for name, each in cases.items()}
    return told, [(each["line"], each["field"], each["code"]) for each in errors]


@pytest.mark.dialect
async def test_law_and_clock_follow_the_row_and_the_profile_is_the_default(system):
    told, errors = await placed(
        system,
        US,
        "34.05,-118.24,,",
        "42.36,-71.06,,MA",
        "42.36,-71.06,us,us-ma",
        "33.45,-112.07,,AZ",
        ",,,",
        "25.03,121.56,TW,",
        "51.51,-0.13,GB,",
        "28.10,-15.41,ES,",
        "-36.85,174.76,NZ,",
    )
    assert errors == []
    assert told == {
        "A-0": ("us", "US", "America/Los_Angeles"),
        "A-1": ("us-ma", "US", "America/New_York"),
        "A-2": ("us-ma", "US", "America/New_York"),
        "A-3": ("us", "US", "America/Phoenix"),
        "A-4": ("us", "US", "America/New_York"),
        "A-5": ("tw", "TW", "Asia/Taipei"),
        "A-6": ("uk", "GB", "Europe/London"),
        "A-7": ("eu", "ES", "Atlantic/Canary"),
        "A-8": ("nz", "NZ", "Pacific/Auckland"),
    }


async def test_a_row_of_another_country_is_not_judged_by_the_law_of_the_profile(system):
    told, errors = await placed(
        system, TW, "34.05,-118.24,US,", ",,US,", "40,-140,US,", "25.03,121.56,US,", ",,U1,", ",,,,x"
    )
    assert told == {"A-0": ("us", "US", "America/Los_Angeles")}
    assert errors == [
        (3, "latitude", "position-needed"),
        (4, "latitude", "position-not-in-country"),
        (5, "latitude", "position-not-in-country"),
        (6, "country", "country-malformed"),
        (7, "(row)", "row-malformed"),
    ]


async def test_the_part_of_the_country_is_the_profiles_where_the_row_names_none(system):
    profile = US | {"region": "MA"}
    told, errors = await placed(system, profile, ",,,", ",,,NY", "40.71,-74.01,,NY", ",,,M-A")
    assert told == {"A-0": ("us-ma", "US", "America/New_York"), "A-2": ("us", "US", "America/New_York")}
    assert errors == [(3, "latitude", "position-needed"), (5, "region", "region-malformed")]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"time_zone": "America/New_York"}, ["time_zone"]),
        ({"jurisdiction": "zz"}, ["jurisdiction"]),
        ({"country": "CN", "jurisdiction": "cn", "time_zone": "Asia/Urumqi"}, ["time_zone"]),
        ({"country": "US", "jurisdiction": "tw"}, ["jurisdiction", "time_zone"]),
        ({"country": "DE", "jurisdiction": "de", "time_zone": "Europe/Berlin"}, ["jurisdiction"]),
        ({"country": "GB", "jurisdiction": "gb", "time_zone": "Europe/London"}, ["jurisdiction"]),
        (US | {"region": "NY", "jurisdiction": "us-ma"}, ["jurisdiction"]),
    ],
)
async def test_a_profile_that_contradicts_itself_is_refused_in_words(system, change, where):
    problem = await registered(system, change, expect=422)
    assert [each["where"] for each in problem["errors"]] == where
    assert all("there is" in each["what"] for each in problem["errors"])


async def test_a_country_that_is_none_is_refused_by_profile_and_row(system):
    nowhere = {"country": "UK", "jurisdiction": "uk"}
    [error] = (await registered(system, nowhere, expect=422))["errors"]
    assert (error["where"], "GB" in error["what"]) == ("country", True)
    told, errors = await placed(system, TW, "51.51,-0.13,UK,", "48.85,2.35,FR,")
    assert told == {"A-1": ("eu", "FR", "Europe/Paris")}
    assert errors == [(2, "country", "country-unknown")]
