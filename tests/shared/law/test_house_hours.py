"""The house's floor of hours: no law, and no lack of one, lets a visit or call be made at night without consent."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.law import Facts, Step, Verdict, earliest_lawful, evaluate, load_packs, read_pack, screen, shipped
from shared.law.stories import load_stories

SOUND = {of_pack.pack: Facts.model_validate(of_pack.sound) for of_pack in load_stories() if of_pack.pack != "house"}
PLACES = {
    **{name: (name, name, None) for name in SOUND},
    "fr": ("eu", "FR", "Europe/Paris"),
    "gb": ("uk", "GB", "Europe/London"),
    "us-ny": ("us", "US", "America/New_York"),
    "jp": ("eu", "JP", "Asia/Tokyo"),
    "hk": ("eu", "HK", "Asia/Hong_Kong"),
}
# Before the hours of China and India were law, between the two, and after both; each a Wednesday.
DAYS = [date(2024, 3, 6), date(2026, 3, 4), date(2026, 8, 5)]
ACTS = [Step.PLAN, Step.DISPATCH, Step.CHECK_IN, Step.CALL]


def sound_at(place: str) -> Facts:
    pack, country, zone = PLACES[place]
    facts = SOUND[pack]
    if zone is None:
        return facts
    return facts.model_copy(update={"jurisdiction": place, "country": country, "time_zone": zone})


def zone_of(facts: Facts) -> ZoneInfo:
    return ZoneInfo(facts.time_zone or {"tw": "Asia/Taipei", "cn": "Asia/Shanghai"}[facts.jurisdiction])


def judged(facts: Facts, step: Step, at: datetime, **changes):
    moved = facts.moved_to(at).model_copy(update=changes)
    return evaluate(shipped().packs_of(moved), step, moved)


def of_hours(decision) -> list[str]:
    return [each.rule_id for each in decision.findings if "-hours" in each.rule_id and each.verdict is Verdict.BLOCK]


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("step", ACTS)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_lets_the_night_pass_without_consent(place, step, day):
    facts = sound_at(place)
    lawful = set()
    for hour in range(24):
        at = datetime.combine(day, time(hour, 30), zone_of(facts))
        stopped = of_hours(judged(facts, step, at))
        assert not of_hours(judged(facts, step, at, consents={"HOURS": "e-1"})) or stopped[0].startswith(("us", "in"))
        lawful |= set() if stopped else {hour}
    assert {9, 18} <= lawful <= set(range(7, 22))
    assert not lawful & {0, 1, 2, 3, 4, 5, 6, 22, 23}
    windows = screen(shipped().packs_for(facts.jurisdiction, day), facts.moved_to(at), day, step).windows
    assert all(start.hour >= 7 and end <= start.replace(hour=22, minute=0, second=0) for start, end in windows)
    night = datetime.combine(day, time(3), zone_of(facts))
    found = earliest_lawful(shipped(), facts, after=night, step=step, days_max=0)
    assert found.at is None or found.at.hour >= 7


@pytest.mark.parametrize("place", PLACES)
def test_a_visit_that_was_made_at_night_is_an_incident(place):
    facts = sound_at(place)
    at = datetime.combine(DAYS[1], time(3), zone_of(facts))
    found = judged(facts, Step.COMPLETION, at, ends_at=at + timedelta(minutes=20))
    assert found.verdict is Verdict.WARN
    assert any("-hours" in each.rule_id for each in found.incidents)


@pytest.mark.parametrize(
    ("clock", "ends", "lawful"),
    [
        ("07:59:59", None, False),
        ("08:00", None, True),
        ("20:00", None, True),
        ("20:00:01", None, False),
        ("19:30", "20:00", True),
        ("19:30", "20:00:01", False),
    ],
)
def test_both_ends_are_still_allowed(clock, ends, lawful):
    start = datetime.fromisoformat(f"2026-03-04T{clock}+01:00")
    end = datetime.fromisoformat(f"2026-03-04T{ends}+01:00") if ends else None
    assert (of_hours(judged(sound_at("fr"), Step.PLAN, start, ends_at=end)) == []) is lawful


CHANGING = {
    "fr": ("FR", "Europe/Paris"),
    "gb": ("GB", "Europe/London"),
    "cl": ("CL", "America/Santiago"),
    "eg": ("EG", "Africa/Cairo"),
    "lb": ("LB", "Asia/Beirut"),
    "au": ("AU", "Australia/Lord_Howe"),
}


def days_of_change(zone: ZoneInfo) -> list[date]:
    """The days of 2026 that do not last 24 hours."""
    days = (date(2026, 1, 1) + timedelta(days=number) for number in range(365))
    return [day for day in days if offset(day, zone) != offset(day + timedelta(days=1), zone)]


def offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(0), zone).utcoffset()


@pytest.mark.parametrize("step", [Step.PLAN, Step.CALL])
@pytest.mark.parametrize("place", CHANGING)
def test_the_clock_on_the_wall_decides_on_the_day_on_which_it_changes(place, step):
    country, zone_name = CHANGING[place]
    zone = ZoneInfo(zone_name)
    facts = SOUND["eu"].model_copy(update={"jurisdiction": place, "country": country, "time_zone": zone_name})
    clocks = {"03:00": False, "07:59:59": False, "08:00": True, "20:00": True, "20:00:01": False, "23:30": False}
    days = days_of_change(zone)
    assert len(days) == 2
    for day in [near for changed in days for near in (changed, changed + timedelta(days=1))]:
        for clock, lawful in clocks.items():
            at = datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
            assert (of_hours(judged(facts, step, at)) == []) is lawful, (day, clock)
        late = datetime.combine(day, time(19, 50), zone).astimezone(UTC)
        assert of_hours(judged(facts, step, late, ends_at=late + timedelta(minutes=30))) == ["house-hours"]
        asked_for = facts.model_copy(update={"consents": {"DEBTOR_REQUEST": "e-1"}})
        [window] = screen(shipped().packs_for(place, day), asked_for, day, step).windows
        assert [each.strftime("%H:%M") for each in window] == ["08:00", "20:00"]


@pytest.mark.parametrize(
    ("place", "step", "day", "rules"),
    [
        ("tw", Step.PLAN, DAYS[1], {"tw-hours"}),
        ("us-ma", Step.CALL, DAYS[1], {"us-hours"}),
        ("uk", Step.PLAN, DAYS[1], {"house-hours"}),
        ("cn", Step.PLAN, DAYS[0], {"house-hours"}),
        ("cn", Step.PLAN, DAYS[1], {"cn-hours"}),
        # Calls have had hours in India since 2022, visits only from July 2026 on.
        ("in", Step.CALL, DAYS[1], {"in-hours-calls"}),
        ("in", Step.PLAN, DAYS[1], {"house-hours"}),
        ("in", Step.PLAN, DAYS[2], {"in-hours"}),
    ],
)
def test_the_floor_applies_where_no_law_of_the_place_blocks_by_hours(place, step, day, rules):
    facts = sound_at(place)
    found = judged(facts, step, datetime.combine(day, time(12), zone_of(facts)))
    assert {each.rule_id for each in found.findings if "-hours" in each.rule_id} == rules


@pytest.mark.parametrize("weaker", [("effect: block", "effect: warn"), ("verified: secondary", "verified: unverified")])
def test_hours_that_only_warn_do_not_replace_the_floor(weaker):
    head, rule, rest = load_packs()["tw"].text.partition("- id: tw-hours")
    law = shipped().with_version(read_pack("tw.yaml", (head + rule + rest.replace(*weaker, 1)).encode()))
    facts = SOUND["tw"].moved_to(datetime.fromisoformat("2026-03-04T03:00:00+08:00"))
    found = evaluate(law.packs_of(facts), Step.PLAN, facts)
    assert [each.rule_id for each in found.deciding] == ["house-hours"]


def test_the_floor_is_judged_by_the_local_day():
    """In India the law's hours begin with 1 July at midnight there; half an hour earlier the floor applies."""
    before = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)
    facts = sound_at("in")
    assert of_hours(judged(facts, Step.PLAN, before)) == ["house-hours"]
    assert of_hours(judged(facts, Step.PLAN, before + timedelta(hours=1))) == ["in-hours"]
