"""Hours, days and zones: the borders of rules, everywhere on earth."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.law import (
    Facts,
    Step,
    Verdict,
    earliest_lawful,
    evaluate,
    lawful_windows,
    load_packs,
    read_pack,
    shipped,
    zone_of,
)
from shared.law.calendar import UnknownPlace, add_business_days, holiday_on, holidays_known, is_business_day
from shared.law.stories import load_stories

PACKS = load_packs()
LONDON_HOURS = read_pack(
    "yy.yaml",
    b"""
id: yy
version: "1"
title: {en: Some country, zh: "\xe6\x9f\x90\xe5\x9c\x8b\xe6\x9f\x90\xe5\x9c\xb0"}
rules:
  - {id: yy-hours, kind: hours-window, steps: [PLAN], effect: block, authority: law, verified: primary,
     source: Some Act, parameters: {from: "01:30", until: "20:00"},
     says: {en: Only in the daytime., zh: "\xe5\x83\x85\xe9\x99\x90\xe6\x97\xa5\xe9\x96\x93"}}
""",
)


def at(text: str, zone: str) -> Facts:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return Facts(jurisdiction="yy", at=local, time_zone=zone, country="GB")


@pytest.mark.parametrize(
    ("pack", "time", "lawful"),
    [
        ("tw", "06:59:59", False),
        ("tw", "07:00", True),
        ("tw", "22:00", True),
        ("tw", "22:00:01", False),
        ("cn", "07:59:59", False),
        ("cn", "08:00", True),
        ("cn", "21:59:59", True),
        ("cn", "22:00", False),
    ],
)
def test_whether_the_ends_of_a_window_are_included(pack, time, lawful):
    zone = "Asia/Taipei" if pack == "tw" else "Asia/Shanghai"
    local = datetime.fromisoformat(f"2026-03-02T{time}").replace(tzinfo=ZoneInfo(zone))
    decision = evaluate((PACKS[pack],), Step.CALL, Facts(jurisdiction=pack, at=local, time_zone=zone))
    [finding] = [finding for finding in decision.findings if finding.rule_id.endswith("-hours")]
    assert (finding.verdict is Verdict.PASS) is lawful


@given(
    st.integers(1_577_836_800, 2_051_222_400),
    st.sampled_from(["Asia/Taipei", "Europe/London", "America/New_York"]),
)
def test_the_local_hour_decides_wherever_the_time_was_written_down(moment, zone):
    when = datetime.fromtimestamp(moment, UTC)
    facts = Facts(jurisdiction="yy", at=when, time_zone=zone)
    local = when.astimezone(ZoneInfo(zone)).time()
    lawful = time(1, 30) <= local < time(20)
    assert (evaluate((LONDON_HOURS,), Step.PLAN, facts).verdict is not Verdict.BLOCK) is lawful


def test_windows_of_a_day_are_the_hours_of_the_law():
    sound = Facts(
        jurisdiction="tw", country="TW", at=datetime(2026, 3, 2, 1, tzinfo=UTC), address_verified=True, hazard=False,
        notices={"PRIOR_NOTICE": datetime(2026, 2, 1, tzinfo=UTC)},
    )  # fmt: skip
    packs = (PACKS["house"], PACKS["tw"])
    [(start, end)] = lawful_windows(packs, sound, date(2026, 3, 2))
    assert (start.hour, end.hour) == (7, 22)
    assert lawful_windows(packs, sound, date(2026, 2, 17)) == []


def test_a_cap_ends_to_the_moment_and_the_earliest_lawful_time_knows_it():
    visited = datetime(2026, 3, 2, 6, tzinfo=UTC)
    facts = Facts(
        jurisdiction="tw", country="TW", at=visited, address_verified=True, hazard=False,
        notices={"PRIOR_NOTICE": datetime(2026, 2, 1, tzinfo=UTC)}, contact_visits=(visited,),
    )  # fmt: skip
    found = earliest_lawful(shipped(), facts, after=visited)
    assert found.at == visited + timedelta(days=7)
    assert found.rule_id == "house-visit-cap"


def test_nothing_lawful_within_reach_is_none():
    facts = Facts(jurisdiction="tw", country="TW", at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    found = earliest_lawful(shipped(), facts, after=facts.at, days_max=5)
    assert found.at is None
    assert found.rule_id == "house-address"


@pytest.mark.parametrize(
    ("latitude", "longitude", "country", "zone"),
    [
        (43.8, 87.6, "CN", "Asia/Shanghai"),
        (25.03, 121.56, None, "Asia/Taipei"),
        (51.5, -0.12, "GB", "Europe/London"),
        (42.36, -71.06, "US", "America/New_York"),
    ],
)
def test_the_zone_of_a_place(latitude, longitude, country, zone):
    assert zone_of(latitude, longitude, country) == zone


@pytest.mark.parametrize(("latitude", "longitude"), [(0.0, -30.0), (91.0, 0.0), (None, 3.0)])
def test_a_place_without_a_zone_is_refused(latitude, longitude):
    with pytest.raises(UnknownPlace):
        zone_of(latitude, longitude, None)


def test_holidays_and_make_up_days():
    assert holiday_on("TW", None, date(2026, 2, 17))
    assert holiday_on("TW", None, date(2026, 3, 2)) is None
    assert not is_business_day("CN", None, date(2026, 2, 17))
    assert is_business_day("CN", None, date(2026, 2, 14))  # a Saturday that makes up for the Spring Festival
    assert add_business_days("TW", None, date(2026, 3, 6), 1) == date(2026, 3, 9)


SOUND = next(Facts.model_validate(of_pack.sound) for of_pack in load_stories() if of_pack.pack == "tw")
BECAUSE = [
    # A holiday: it stands in the way until midnight, the hours of the night after it for less long.
    ("2026-04-06T10:00", {}, "2026-04-07T07:00", "house-holiday", "2026-04-06T10:00"),
    # The night before two holidays: the holiday makes it so, not the hours that block at first.
    ("2026-02-26T23:00", {}, "2026-03-01T07:00", "house-holiday", "2026-02-27T07:00"),
    ("2026-03-02T23:00", {}, "2026-03-03T07:00", "tw-hours", "2026-03-02T23:00"),
    # The cap ends in the night: it made most of the wait.
    ("2026-03-02T10:00", {"contact_visits": ["2026-02-28T02:00"]}, "2026-03-07T07:00", "house-visit-cap", None),
    ("2026-03-02T21:30", {"ends_at": "2026-03-02T22:30"}, "2026-03-03T07:00", "tw-hours", "2026-03-02T21:30"),
]


@pytest.mark.parametrize(("after", "changes", "at", "rule", "spoken_of"), BECAUSE, ids=[row[0] for row in BECAUSE])
def test_the_earliest_lawful_time_names_the_rule_that_makes_it_so(after, changes, at, rule, spoken_of):
    def moment(told):
        return datetime.fromisoformat(f"{told}:00+08:00")

    told = {
        name: moment(value) if isinstance(value, str) else list(map(moment, value)) for name, value in changes.items()
    }
    facts = Facts.model_validate({**SOUND.model_dump(), "at": moment(after), **told})
    found = earliest_lawful(shipped(), facts, after=facts.at)
    assert (found.at, found.rule_id) == (moment(at), rule)
    assert found.decision.at == moment(spoken_of or after)
    assert rule in {finding.rule_id for finding in found.decision.deciding}


def test_a_window_is_that_of_the_start_of_an_act():
    lasting = SOUND.model_copy(update={"ends_at": SOUND.at + timedelta(minutes=90)})
    [(start, end)] = lawful_windows(shipped().packs_of(SOUND), lasting, date(2026, 3, 2))
    assert (f"{start:%H:%M}", f"{end:%H:%M}") == ("07:00", "20:30")
    longer = SOUND.model_copy(update={"ends_at": SOUND.at + timedelta(hours=16)})
    assert lawful_windows(shipped().packs_of(SOUND), longer, date(2026, 3, 2)) == []


def test_an_act_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="ends_at is before at"):
        Facts.model_validate({**SOUND.model_dump(), "ends_at": SOUND.at - timedelta(seconds=1)})


def test_a_region_counts_where_regions_have_holidays_of_their_own():
    peace = date(2026, 2, 28)
    assert holiday_on("TW", "TPE", peace) == holiday_on("TW", None, peace)
    assert holiday_on("TW", None, peace)
    assert holidays_known("TW", "TPE", peace)
    patriots = date(2026, 4, 20)
    assert holiday_on("US", "MA", patriots)
    assert holiday_on("US", "CA", patriots) is None
    assert not holidays_known("US", "XX", patriots)
