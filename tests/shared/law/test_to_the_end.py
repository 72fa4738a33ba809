"""What holds at the start of a visit must hold at its end: consents, grounds, certificates; and what begins meanwhile
counts: holidays, quiet periods, holds. The windows of a day know it, too."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.law import Facts, Step, Verdict, evaluate, screen, shipped
from shared.law.calendar import days_off_unknown, holiday_in_chinese, holiday_on, is_business_day
from shared.law.stories import load_stories

SOUND = {of_pack.pack: Facts.model_validate(of_pack.sound) for of_pack in load_stories()}
TAIPEI = "+08:00"
LATE = {"at": "2026-03-03T21:00:00+08:00", "ends_at": "2026-03-03T23:00:00+08:00"}
OVER_MIDNIGHT = {"at": "2026-03-03T21:00:00+08:00", "ends_at": "2026-03-04T00:30:00+08:00", "consents": {"HOURS": "e"}}
TO_MIDNIGHT = OVER_MIDNIGHT | {"ends_at": "2026-03-04T00:00:00+08:00"}


def judged(changes, step=Step.PLAN, pack="tw"):
    facts = Facts.model_validate({**SOUND[pack].model_dump(), **changes})
    return evaluate(shipped().packs_of(facts), step, facts)


def stopped(changes, step=Step.PLAN, pack="tw") -> list[str]:
    found = judged(changes, step, pack)
    return [each.rule_id for each in found.findings if each.verdict is Verdict.BLOCK]


def grant(scope="HOURS", since=None, until=None):
    day = "2026-03-03T"
    times = {"since": since and f"{day}{since}:00{TAIPEI}", "until": until and f"{day}{until}:00{TAIPEI}"}
    return {"scope": scope, "evidence": "e-1", **times}


@pytest.mark.parametrize(
    ("grants", "lawful"),
    [
        ([], False),
        ([grant()], True),
        ([grant(until="23:00")], True),
        ([grant(until="22:59")], False),
        ([grant(since="21:00")], True),
        ([grant(since="21:01")], False),
        ([grant("ENTRY")], False),
        # Two that only together cover the visit: no debtor allowed the whole of it.
        ([grant(until="22:30"), grant(since="22:00")], False),
        ([grant(until="22:30"), grant(since="20:00", until="23:30")], True),
    ],
)
def test_a_consent_holds_at_the_start_and_at_the_end(grants, lawful):
    assert stopped(LATE | {"grants": grants}) == ([] if lawful else ["tw-hours"])


def test_the_evidence_of_a_consent_stands_in_the_decision():
    [hours] = [each for each in judged(LATE | {"grants": [grant()]}).findings if each.rule_id == "tw-hours"]
    assert (hours.verdict, hours.overridden_by) == (Verdict.PASS, "e-1")


def test_a_ground_holds_to_the_end():
    plan = {"hazard": True, **LATE, "consents": {"HOURS": "e"}}
    assert stopped(plan | {"grants": [grant("SAFETY_PLAN", until="23:00")]}) == []
    assert stopped(plan | {"grants": [grant("SAFETY_PLAN", until="22:00")]}) == ["house-hazard"]


@pytest.mark.parametrize(
    ("act", "last_day", "lawful"),
    [
        (OVER_MIDNIGHT, "2026-03-04", True),
        (OVER_MIDNIGHT, "2026-03-03", False),
        (TO_MIDNIGHT, "2026-03-03", True),
        (TO_MIDNIGHT, "2026-03-02", False),
    ],
)
def test_a_certificate_is_valid_until_the_end(act, last_day, lawful):
    paper = {"code": "FIELD", "valid_from": "2025-01-01", "valid_until": last_day}
    team = [{**each.model_dump(), "certificates": [paper]} for each in SOUND["tw"].collectors]
    found = [rule for rule in stopped(act | {"collectors": team}, Step.DISPATCH) if rule == "house-cert"]
    assert found == ([] if lawful else ["house-cert"])


@pytest.mark.parametrize(("act", "lawful"), [(OVER_MIDNIGHT, False), (TO_MIDNIGHT, True)])
def test_a_quiet_period_that_begins_during_the_visit_counts(act, lawful):
    zone = {"jurisdiction": "uk", "country": "GB", "time_zone": "Asia/Taipei"}  # a clock that makes the days plain
    period = [{"reason": "BREATHING_SPACE", "first_day": "2026-03-04"}]
    assert stopped(act | zone | {"quiet_periods": period}, pack="uk") == ([] if lawful else ["uk-breathing"])


@pytest.mark.parametrize(
    ("times", "lawful"),
    [
        ({"since": "2026-03-03T22:30:00+08:00"}, False),
        ({"since": "2026-03-03T23:00:01+08:00"}, True),
        ({"until": "2026-03-03T21:00:00+08:00"}, True),
        ({"until": "2026-03-03T21:00:01+08:00"}, False),
        ({}, False),
    ],
)
def test_a_hold_that_begins_during_the_visit_counts(times, lawful):
    held = [{"reason": "COMPLAINT_PENDING", **times}]
    assert stopped(LATE | {"consents": {"HOURS": "e"}, "holds": held}) == ([] if lawful else ["house-hold"])


def test_a_holiday_that_begins_during_the_visit_counts_and_is_named():
    act = {"at": "2026-02-26T21:00:00+08:00", "ends_at": "2026-02-27T01:00:00+08:00", "consents": {"HOURS": "e"}}
    found = judged(act)
    assert [each.rule_id for each in found.deciding] == ["house-holiday"]
    assert found.deciding[0].inputs["day"] == "2026-02-27"
    assert stopped(act | {"ends_at": "2026-02-27T00:00:00+08:00"}) == []
    again = evaluate(shipped().packs_of(found.facts), Step.PLAN, Facts.from_json(found.facts.to_json()))
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize(
    ("country", "day", "holiday"),
    [
        ("CN", "2026-02-15", True),  # the Sunday with which the Spring Festival begins
        ("CN", "2026-02-21", True),
        ("CN", "2026-02-14", False),  # a Saturday that makes up for a day off
        ("CN", "2026-02-28", False),
        ("CN", "2026-06-20", True),  # the weekend of the Dragon Boat Festival, a Friday
        ("CN", "2026-06-27", False),
        ("CN", "2022-12-31", True),  # before New Year's Day of the year after
        ("HK", "2027-02-07", True),
        ("HK", "2026-04-03", True),  # Good Friday: the library lists it under another category
        ("HK", "2026-04-04", True),
        ("HK", "2027-03-28", True),  # Easter Sunday, between two general holidays
        ("HK", "2026-06-20", False),  # beside a holiday, not inside one
        ("TW", "2026-03-07", False),
    ],
)
def test_weekend_days_inside_an_official_holiday_are_holidays(country, day, holiday):
    name = holiday_on(country, None, date.fromisoformat(day))
    assert (name is not None) is holiday
    assert holiday_in_chinese(country, None, date.fromisoformat(day)) or not holiday


# The days off of 2026 as the State Council announced them, first and last, and the weekend days that make up for them.
OFF_IN_CHINA = ("01-01 01-03", "02-15 02-23", "04-04 04-06", "05-01 05-05", "06-19 06-21", "09-25 09-27", "10-01 10-07")
MADE_UP = {"01-04", "02-14", "02-28", "05-09", "09-20", "10-10"}


def test_the_days_off_of_china_in_2026_are_those_that_were_announced():
    year = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    off = [each.split() for each in OFF_IN_CHINA]
    for day in year:
        text = f"{day:%m-%d}"
        is_off = any(first <= text <= last for first, last in off)
        assert (holiday_on("CN", None, day) is not None) is is_off, day
        works = text in MADE_UP or (day.weekday() < 5 and not is_off)
        assert is_business_day("CN", None, day) is works, day
        assert not days_off_unknown("CN", None, day)


@pytest.mark.parametrize("day", ["2026-10-03", "2026-10-04", "2026-02-21", "2026-02-22"])
def test_no_visit_is_planned_on_a_weekend_in_a_holiday_of_china(day):
    assert "house-holiday" in stopped({"at": f"{day}T10:00:00+08:00"}, pack="cn")
    assert "house-holiday" not in stopped({"at": "2026-10-10T10:00:00+08:00"}, pack="cn")


def test_a_weekend_in_a_holiday_bears_the_name_of_the_holiday():
    assert holiday_on("CN", None, date(2026, 6, 21)) == holiday_on("CN", None, date(2026, 6, 19))
    assert not is_business_day("HK", None, date(2026, 4, 3))


def test_a_year_whose_days_off_are_not_known_is_warned_of_by_name():
    def named(at: str, step=Step.PLAN):
        found = [each for each in judged({"at": at}, step, "cn").findings if each.rule_id == "house-days-off-unknown"]
        return [(each.verdict, "2027" in each.reason_en, "2027" in each.reason_zh) for each in found]

    assert named("2027-03-02T10:00:00+08:00") == [(Verdict.WARN, True, True)]
    assert named("2026-03-02T10:00:00+08:00") == []
    assert named("2027-03-02T10:00:00+08:00", Step.CALL) == []  # no rule of a call asks for holidays there
    assert days_off_unknown("CN", None, date(2027, 1, 1))
    assert not days_off_unknown("TW", None, date(2027, 1, 1))


times = st.integers(0, 24 * 60)
minutes = st.integers(1, 16 * 60)


@settings(deadline=None, max_examples=50)
@given(times, times, minutes, minutes, st.sampled_from(["tw", "uk", "cn"]))
def test_the_windows_of_a_day_know_the_ends_of_consents_holds_and_days(given_at, held_at, lasts, long, pack):
    facts = SOUND[pack]
    zone = ZoneInfo({"tw": "Asia/Taipei", "uk": "Europe/London", "cn": "Asia/Shanghai"}[pack])
    day = date(2026, 2, 26)  # in Taiwan the next day is a holiday
    midnight = datetime(2026, 2, 26, tzinfo=zone)
    since, hold = midnight + timedelta(minutes=given_at), midnight + timedelta(minutes=held_at)
    act = Facts.model_validate(
        {
            **facts.model_dump(),
            "at": midnight,
            "ends_at": midnight + timedelta(minutes=lasts),
            "notices": dict.fromkeys(("PRIOR_NOTICE", "VISIT"), midnight - timedelta(days=9)),
            "grants": [{"scope": "HOURS", "evidence": "e", "since": since, "until": since + timedelta(minutes=long)}],
            "holds": [{"reason": "COMPLAINT_PENDING", "since": hold, "until": hold + timedelta(minutes=60)}],
        }
    )
    packs = shipped().packs_for(pack, day)
    windows = screen(packs, act, day).windows
    for minute in range(7, 24 * 60, 61):
        moved = act.moved_to(midnight + timedelta(minutes=minute, seconds=30))
        lawful = evaluate(packs, Step.PLAN, moved).verdict is not Verdict.BLOCK
        assert lawful is any(start <= moved.at < end for start, end in windows), moved.at
