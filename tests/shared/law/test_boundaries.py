"""Properties on the borders: ends of windows, days on which clocks change, months, leap days, midnight, holidays; and
what must hold of every act: deterministic, more consent never blocks more, a stricter pack never allows more."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.law import (
    ConsentScope,
    Facts,
    OtherGround,
    Step,
    Verdict,
    earliest_lawful,
    evaluate,
    is_business_day,
    lawful_windows,
    load_packs,
    read_pack,
    screen,
    shipped,
)
from shared.law.calendar import holiday_on
from shared.law.dates import months_after
from shared.law.stories import load_stories

SOUND = {of_pack.pack: Facts.model_validate(of_pack.sound) for of_pack in load_stories()}
HOURS = {"tw": "tw-hours", "cn": "cn-hours", "us": "us-hours", "in": "in-hours"}
ZONES = ["Asia/Taipei", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
calm = settings(deadline=None)  # the first look at a calendar takes its time
STRICTNESS = [Verdict.PASS, Verdict.WARN, Verdict.BLOCK]

moments = st.integers(1_672_531_200, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
acts = st.sampled_from(
    [
        (story.step, Facts.model_validate({**of_pack.sound, **story.change}))
        for of_pack in load_stories()
        for story in of_pack.stories
        if story.step
    ]
)
zones = st.sampled_from(ZONES)


def window(start: str, until: str, *, included: bool = False):
    text = f"""
id: yy
version: "1"
title: {{en: Some country, zh: 某國某地}}
rules:
  - id: yy-hours
    kind: hours-window
    steps: [PLAN]
    effect: block
    authority: law
    verified: primary
    source: Some Act
    parameters: {{from: "{start}", until: "{until}", until_included: {str(included).lower()}}}
    says: {{en: Only in the daytime., zh: 僅限日間。}}
"""
    return (read_pack("yy.yaml", text.encode()),)


def act(at: datetime, zone: str, **changes):
    return Facts(jurisdiction="yy", at=at, time_zone=zone, country="FR", **changes)


def verdict(packs, facts: Facts, step: Step = Step.PLAN) -> Verdict:
    return evaluate(packs, step, facts).verdict


@calm
@given(moments, st.sampled_from(sorted(HOURS)))
def test_a_moment_is_lawful_by_the_local_clock_and_its_ends_alone(at, jurisdiction):
    [rule] = [rule for rule in load_packs()[jurisdiction].rules if rule.id == HOURS[jurisdiction]]
    facts = SOUND[jurisdiction].moved_to(at)
    zone = facts.time_zone or {"tw": "Asia/Taipei", "cn": "Asia/Shanghai"}[jurisdiction]
    local = at.astimezone(ZoneInfo(zone))
    if not rule.in_force(local.date()):
        return
    found = evaluate((load_packs()[jurisdiction],), Step.CALL, facts)
    [finding] = [finding for finding in found.findings if finding.rule_id == rule.id]
    hours, clock = rule.parameters, local.time()
    lawful = hours.from_ <= clock < hours.until or (hours.until_included and clock == hours.until)
    assert (finding.verdict is Verdict.PASS) is lawful


@calm
@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), zones, st.booleans())
def test_both_ends_of_a_window_on_every_day_of_the_year(day, zone, included):
    packs = window("08:00", "20:00", included=included)
    end = datetime.combine(day, time(20), ZoneInfo(zone))
    start = datetime.combine(day, time(8), ZoneInfo(zone))
    second = timedelta(seconds=1)
    found = [
        verdict(packs, act(at.astimezone(UTC), zone))
        for at in (
            start.astimezone(UTC) - second,
            start,
            end.astimezone(UTC) - second,
            end,
            end.astimezone(UTC) + second,
        )
    ]
    lawful, not_lawful = Verdict.PASS, Verdict.BLOCK
    assert found == [not_lawful, lawful, lawful, lawful if included else not_lawful, not_lawful]


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 18.0), ("2026-10-25", 19.0), ("2026-03-28", 18.5)],
    ids=["forwards", "back", "no change"],
)
def test_a_window_over_the_hour_that_is_lost_or_comes_twice(day, hours):
    """London, from 01:30 on: the day the clocks go forward has no 01:30, the day they go back has two."""
    midday = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    found = lawful_windows(window("01:30", "20:00"), act(midday, "Europe/London"), date.fromisoformat(day))
    whole = sum((end.astimezone(UTC) - start.astimezone(UTC) for start, end in found), timedelta(0))
    assert whole == timedelta(hours=hours)


CHANGES = [
    ("Europe/London", date(2026, 3, 29)),
    ("Europe/London", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Santiago", date(2026, 9, 6)),
    ("America/Havana", date(2026, 11, 1)),
]


@calm
@given(st.sampled_from(CHANGES), st.integers(0, 25 * 60))
def test_windows_and_verdicts_agree_on_days_with_changed_clocks(change, minute):
    zone, day = change
    packs = window("01:30", "20:00")
    midnight = datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
    at = midnight + timedelta(minutes=minute)
    if at.astimezone(ZoneInfo(zone)).date() != day:
        return
    inside = any(start <= at < end for start, end in lawful_windows(packs, act(at, zone), day))
    assert (verdict(packs, act(at, zone)) is Verdict.PASS) is inside


@calm
@given(moments, st.integers(1, 36 * 60))
def test_a_visit_that_spans_the_end_of_its_window_or_midnight_is_not_lawful(at, minutes):
    ends_at = at + timedelta(minutes=minutes)
    local, end = (each.astimezone(ZoneInfo("Asia/Taipei")) for each in (at, ends_at))
    lawful = local.date() == end.date() and time(8) <= local.time() < time(20) and end.time() <= time(20)
    found = verdict(window("08:00", "20:00"), act(at, "Asia/Taipei", ends_at=ends_at))
    assert (found is Verdict.PASS) is lawful


@calm
@given(moments, st.integers(0, 9 * 86_400))
def test_a_cap_of_seven_days_is_seven_days_to_the_second(at, seconds):
    facts = SOUND["tw"].moved_to(at).model_copy(update={"contact_visits": (at - timedelta(seconds=seconds),)})
    found = evaluate((load_packs()["house"],), Step.PLAN, facts)
    [finding] = [finding for finding in found.findings if finding.rule_id == "house-visit-cap"]
    assert (finding.verdict is Verdict.PASS) is (seconds >= 7 * 86_400)


@calm
@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(1, 60))
def test_months_end_with_the_month(day, months):
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def test_a_year_from_a_leap_day_ends_on_the_last_of_february():
    facts = SOUND["cn"].model_copy(update={"agency_reviewed_on": date(2024, 2, 29)})

    def review(day: str) -> Verdict:
        told = facts.moved_to(datetime.fromisoformat(f"{day}T10:00:00+08:00"))
        [finding] = [f for f in evaluate((load_packs()["cn"],), Step.DISPATCH, told).findings if "review" in f.rule_id]
        return finding.verdict

    assert review("2025-02-28") is Verdict.PASS
    assert review("2025-03-01") is Verdict.BLOCK


@calm
@given(st.dates(date(2024, 1, 1), date(2027, 12, 31)))
def test_no_house_visit_on_a_holiday_but_on_days_that_make_up_for_one(day):
    at = datetime.combine(day, time(10), ZoneInfo("Asia/Shanghai"))
    facts = SOUND["cn"].moved_to(at)
    found = evaluate((load_packs()["house"],), Step.PLAN, facts)
    [finding] = [finding for finding in found.findings if finding.rule_id == "house-holiday"]
    holiday = holiday_on("CN", None, day)
    assert (finding.verdict is Verdict.BLOCK) is (holiday is not None)
    if day.weekday() >= 5 and is_business_day("CN", None, day):
        assert finding.verdict is Verdict.PASS  # a weekend day on which everybody works


@calm
@given(acts, st.sets(st.sampled_from([*ConsentScope, *OtherGround])), st.sampled_from([*ConsentScope, *OtherGround]))
def test_more_consent_never_blocks_more(told, before, more):
    step, facts = told
    less = facts.model_copy(update={"consents": dict.fromkeys(before, "e")})
    with_more = facts.model_copy(update={"consents": dict.fromkeys(before | {more}, "e")})
    packs = shipped().packs_of(facts)
    assert STRICTNESS.index(verdict(packs, with_more, step)) <= STRICTNESS.index(verdict(packs, less, step))


@calm
@given(moments, st.integers(0, 22), st.integers(1, 23), st.integers(0, 120))
def test_a_stricter_pack_never_allows_more(at, start, until, earlier):
    if start >= until:
        return
    wide = window(f"{start:02d}:00", f"{until:02d}:00", included=True)
    end = max(until * 60 - earlier, start * 60 + 1)
    strict = window(f"{start:02d}:00", f"{end // 60:02d}:{end % 60:02d}")
    if verdict(wide, act(at, "Asia/Taipei")) is Verdict.BLOCK:
        assert verdict(strict, act(at, "Asia/Taipei")) is Verdict.BLOCK


@calm
@given(acts)
def test_more_packs_never_allow_more(told):
    step, facts = told
    packs = shipped().packs_of(facts)
    whole = STRICTNESS.index(verdict(packs, facts, step))
    assert all(STRICTNESS.index(verdict((packs[0], each), facts, step)) <= whole for each in packs[1:])


@calm
@given(acts, zones)
def test_the_same_act_gives_the_same_decision_wherever_its_time_was_written_down(told, zone):
    step, facts = told
    elsewhere = facts.model_copy(update={"at": facts.at.astimezone(ZoneInfo(zone)), "resolved": None})
    packs = shipped().packs_of(facts)
    once, twice = evaluate(packs, step, facts), evaluate(packs, step, facts)
    assert once.to_json() == twice.to_json()
    moved = evaluate(packs, step, elsewhere)
    assert [(f.rule_id, f.verdict, f.reason_en) for f in moved.findings] == [
        (f.rule_id, f.verdict, f.reason_en) for f in once.findings
    ]


@calm
@given(acts)
def test_facts_go_to_json_and_back(told):
    _, facts = told
    assert Facts.from_json(facts.to_json()) == facts
    decided = evaluate(shipped().packs_of(facts), Step.PLAN, facts).facts
    assert Facts.from_json(decided.to_json()) == decided


@calm
@given(acts, moments)
def test_the_earliest_lawful_time_is_lawful_and_nothing_before_it_in_reach_is(told, after):
    step, facts = told
    found = earliest_lawful(shipped(), facts, after=after, step=step, days_max=3)
    if found.at is None:
        return
    at = facts.moved_to(found.at)
    assert verdict(shipped().packs_of(at), at, step) is not Verdict.BLOCK
    if found.at > after:
        assert found.rule_id
        assert found.decision.verdict is Verdict.BLOCK
        before = facts.moved_to(after + (found.at - after) / 2)
        assert verdict(shipped().packs_of(before), before, step) is Verdict.BLOCK


@calm
@given(acts, st.integers(0, 24 * 60 - 1))
def test_a_screened_day_and_the_gate_agree(told, minute):
    step, facts = told
    zone = ZoneInfo(facts.time_zone or {"tw": "Asia/Taipei", "cn": "Asia/Shanghai"}[facts.jurisdiction])
    day = facts.at.astimezone(zone).date()
    at = datetime.combine(day, time(0), zone).astimezone(UTC) + timedelta(minutes=minute, seconds=30)
    if at.astimezone(zone).date() != day or step is Step.COMPLETION:
        return
    moved = facts.moved_to(at)
    packs = shipped().packs_of(moved)
    found = screen(packs, facts, day, step)
    inside = any(start <= at < end for start, end in found.windows)
    assert (verdict(packs, moved, step) is not Verdict.BLOCK) is inside
    assert found.windows or found.rule_id


@calm
@given(acts, moments)
def test_the_earliest_time_is_told_by_a_rule_that_blocks_when_it_speaks(told, after):
    step, facts = told
    found = earliest_lawful(shipped(), facts, after=after, step=step, days_max=3)
    if found.decision is not None and found.rule_id != "house-place":
        assert after <= found.decision.at
        assert found.at is None or found.decision.at < found.at
        assert found.rule_id in {finding.rule_id for finding in found.decision.deciding}


@calm
@given(acts, moments, st.integers(1, 20 * 60))
def test_an_act_keeps_its_length_wherever_it_is_moved(told, after, minutes):
    step, facts = told
    lasting = facts.model_copy(update={"ends_at": facts.at + timedelta(minutes=minutes)})
    found = earliest_lawful(shipped(), lasting, after=after, step=step, days_max=3)
    if found.at is None:
        return
    at = lasting.moved_to(found.at)
    assert at.lasts == timedelta(minutes=minutes)
    assert verdict(shipped().packs_of(at), at, step) is not Verdict.BLOCK


def one_rule(kind: str, step: Step, parameters: str):
    text = f"""
id: yy
version: "1"
title: {{en: Some country, zh: 某國某地}}
rules:
  - id: yy-rule
    kind: {kind}
    steps: [{step}]
    effect: block
    authority: law
    verified: primary
    source: Some Act
    parameters: {parameters}
    says: {{en: It is so., zh: 應如此。}}
"""
    return (read_pack("yy.yaml", text.encode()),)


PAST = st.lists(st.integers(0, 40 * 86_400), max_size=6)


@calm
@given(moments, PAST, st.integers(1, 6), st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_a_stricter_cap_or_cool_off_never_allows_more(at, past, most, days, fewer, longer):
    done = tuple(at - timedelta(seconds=seconds) for seconds in past)
    visited, spoken = act(at, "Asia/Taipei", contact_visits=done), act(at, "Asia/Taipei", conversations=done)

    def capped(at_most: int, within: int) -> Verdict:
        parameters = f"{{counts: contact_visits, at_most: {at_most}, days: {within}}}"
        return verdict(one_rule("cap", Step.PLAN, parameters), visited)

    def cooled(within: int) -> Verdict:
        parameters = f"{{after: conversations, days: {within}}}"
        return verdict(one_rule("cool-off", Step.CALL, parameters), spoken, Step.CALL)

    if capped(most, days) is Verdict.BLOCK:
        assert capped(max(1, most - fewer), days + longer) is Verdict.BLOCK
    if cooled(days) is Verdict.BLOCK:
        assert cooled(days + longer) is Verdict.BLOCK


@calm
@given(moments, st.integers(0, 6), st.integers(2, 6), st.integers(0, 4), st.integers(-9, 9))
def test_more_people_needed_or_a_notice_never_allow_more(at, going, needed, more, hours):
    team = act(at, "Asia/Taipei", collectors=tuple({"ref": str(number)} for number in range(going)))

    def manned(at_least: int) -> Verdict:
        return verdict(one_rule("people-needed", Step.PLAN, f"{{at_least: {at_least}}}"), team)

    if manned(needed) is Verdict.BLOCK:
        assert manned(needed + more) is Verdict.BLOCK
    told = act(at, "Asia/Taipei", notices={"TRANSFER": at + timedelta(hours=hours)}, transferred=hours > 0)
    if verdict(one_rule("notice", Step.PLAN, "{notice: TRANSFER, only_if: [transferred]}"), told) is Verdict.BLOCK:
        assert verdict(one_rule("notice", Step.PLAN, "{notice: TRANSFER}"), told) is Verdict.BLOCK
