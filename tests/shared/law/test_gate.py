"""The gate: the strictest wins, missing facts block and are named, overrides, completion, and running again."""

from datetime import date, datetime, timedelta

import pytest

from shared.law import Facts, Step, UnknownVersion, Verdict, evaluate, load_packs, read_pack, shipped
from shared.law import calendar as law_calendar
from shared.law.decision import Finding
from shared.law.stories import load_stories

SOUND = {of_pack.pack: Facts.model_validate(of_pack.sound) for of_pack in load_stories()}
MONDAY = SOUND["tw"].at


def judge(step: Step, jurisdiction: str = "tw", **changes):
    told = Facts.model_validate({**SOUND[jurisdiction].model_dump(), **changes})
    return evaluate(shipped().packs_of(told), step, told)


@pytest.mark.parametrize("jurisdiction", sorted(set(SOUND) - {"house"}))
@pytest.mark.parametrize("step", list(Step))
def test_a_sound_act_passes_every_rule(jurisdiction, step):
    decision = judge(step, jurisdiction)
    assert decision.verdict is Verdict.PASS, decision.findings


@pytest.mark.parametrize("jurisdiction", sorted(set(SOUND) - {"house"}))
def test_a_visit_to_a_closed_door_asks_for_nothing_that_needs_a_person(jurisdiction):
    proofs = {"credentials_shown": None, "authority_shown": None, "willing_now": None, "left_at": None, "consents": {}}
    decision = judge(Step.COMPLETION, jurisdiction, person_met="NONE", indoor=False, asked_to_leave=(), **proofs)
    assert [each.rule_id for each in decision.findings if each.record_incomplete] == []


MISSING = [
    (Step.DISPATCH, "tw", {"collectors": None}, "collectors"),
    (Step.PLAN, "tw", {"address_verified": None}, "address_verified"),
    (Step.PLAN, "tw", {"notices": {}}, "notices.PRIOR_NOTICE"),
    (Step.DISPATCH, "cn", {"agency_reviewed_on": None}, "agency_reviewed_on"),
    (Step.PLAN, "tw", {"country": None, "time_zone": "Asia/Taipei"}, "country"),
    (Step.PLAN, "tw", {"country": None}, "time_zone"),
    (Step.CALL, "us", {"calls": None}, "calls"),
]


@pytest.mark.parametrize(("step", "jurisdiction", "changes", "name"), MISSING)
def test_a_missing_fact_blocks_and_is_named(step, jurisdiction, changes, name):
    decision = judge(step, jurisdiction, **changes)
    assert decision.verdict is Verdict.BLOCK
    assert name in decision.missing


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"latitude": 0.0, "longitude": -30.0}, "sea"),
        ({"time_zone": "Mars/Olympus"}, "Mars"),
        ({"latitude": 91}, "position"),
    ],
)
def test_an_act_without_a_place_on_earth_is_blocked(place, words):
    decision = judge(Step.PLAN, **{"country": None, **place})
    assert decision.verdict is Verdict.BLOCK
    assert [finding.rule_id for finding in decision.deciding] == ["house-place"]
    assert words in decision.deciding[0].reason_en


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="timezone"):
        judge(Step.PLAN, at=datetime(2026, 3, 2, 10))  # noqa: DTZ001 - that is the point


def test_completion_never_blocks_and_what_was_wrong_is_an_incident():
    decision = judge(Step.COMPLETION, authority_shown=None, indoor=None)
    assert decision.verdict is Verdict.WARN
    assert decision.record_incomplete
    assert decision.missing == ["authority_shown", "indoor"]
    assert not decision.incidents
    fees = judge(Step.COMPLETION, "cn", fees_taken=True)
    assert fees.verdict is Verdict.WARN
    assert [finding.rule_id for finding in fees.incidents] == ["cn-no-fees"]
    assert not fees.record_incomplete
    nowhere = judge(Step.COMPLETION, country=None)
    assert nowhere.verdict is Verdict.WARN
    assert nowhere.record_incomplete


HOURS = [("cn", 22, True), ("tw", 22, True), ("us", 21, True), ("us-ma", 21, True), ("in", 19, True), ("uk", 20, True)]


@pytest.mark.parametrize(("jurisdiction", "until", "incident"), HOURS)
def test_a_visit_that_lasted_beyond_the_hours_is_an_incident_and_blocks_nothing(jurisdiction, until, incident):
    began = SOUND[jurisdiction].at.replace(hour=until - 1)
    in_time = judge(Step.COMPLETION, jurisdiction, at=began, ends_at=began.replace(hour=until))
    assert in_time.verdict is Verdict.PASS, in_time.findings
    late = judge(Step.COMPLETION, jurisdiction, at=began, ends_at=began.replace(hour=until, second=1))
    assert late.verdict is Verdict.WARN
    [hours] = late.deciding
    assert hours.rule_id.endswith("-hours")
    assert (hours.incident, hours.record_incomplete) == (incident, False)


def test_the_hour_of_mainland_china_is_that_of_its_law():
    night = datetime.fromisoformat("2026-03-02T23:30:00+08:00")
    decision = judge(Step.DISPATCH, "cn", at=night, time_zone="Asia/Urumqi")
    assert decision.time_zone == "Asia/Shanghai"
    assert "cn-hours" in {finding.rule_id for finding in decision.deciding}
    stored = judge(Step.DISPATCH, "cn", at=night).facts.to_json()
    stored["resolved"] |= {"time_zone": "Asia/Urumqi", "utc_offset_seconds": 21_600}
    again = Facts.from_json(stored)
    assert evaluate(shipped().packs_of(again), Step.DISPATCH, again).time_zone == "Asia/Urumqi"


def test_an_override_counts_only_where_the_rule_names_it():
    late = {"at": MONDAY.replace(hour=23)}
    assert judge(Step.DISPATCH, **late, consents={"DEBTOR_REQUEST": "e1"}).verdict is Verdict.BLOCK
    allowed = judge(Step.DISPATCH, **late, consents={"HOURS": "evidence-7"})
    assert allowed.verdict is Verdict.PASS
    assert [f.overridden_by for f in allowed.findings if f.rule_id == "tw-hours"] == ["evidence-7"]


def test_a_rule_can_be_lifted_by_another_that_is_met():
    inquiry = {"discloses": False}
    lifted = judge(Step.CALL, "us", person_met="THIRD_PARTY", inquiry=inquiry)
    assert lifted.verdict is Verdict.PASS
    assert [f.overridden_by for f in lifted.findings if f.rule_id == "us-third-party"] == ["us-location-inquiry"]


def test_the_stricter_of_house_and_law_wins():
    """A consent lifts the house's rule, not the law's."""
    met = {"contact_visits": (SOUND["us-ma"].at - timedelta(days=3),), "consents": {"DEBTOR_REQUEST": "e1"}}
    decision = judge(Step.PLAN, "us-ma", **met)
    assert [finding.rule_id for finding in decision.deciding] == ["us-ma-visit"]


def test_a_state_is_judged_with_the_federation_and_the_house():
    assert [pack.id for pack in shipped().packs_of(SOUND["us-ma"])] == ["house", "us", "us-ma"]
    decision = judge(Step.PLAN, "us-ma", holds=[{"reason": "REPRESENTED"}])
    assert {"house-hold", "us-attorney"} == {finding.rule_id for finding in decision.deciding}


def test_what_nobody_could_verify_only_warns():
    for unsure in (judge(Step.COMPLETION, "cn", arrangement_months=61, product=told) for told in ("CREDIT_CARD", None)):
        assert unsure.verdict is Verdict.WARN
        assert [finding.rule_id for finding in unsure.deciding] == ["cn-card-plan-max"]
        assert not unsure.incidents
        assert not unsure.record_incomplete


def test_a_country_without_a_pack_gets_the_house_rules_and_a_warning():
    told = Facts.model_validate(
        {**SOUND["tw"].model_dump(), "jurisdiction": "jp", "country": "JP", "time_zone": "Asia/Tokyo"}
    )
    decision = evaluate(shipped().packs_of(told), Step.PLAN, told)
    assert decision.verdict is Verdict.WARN
    first = next(each for each in decision.findings if each.verdict is Verdict.WARN)
    assert "No law is encoded" in first.reason_en
    assert "尚未收錄" in first.reason_zh


@pytest.mark.parametrize("of_pack", load_stories(), ids=lambda each: each.pack)
def test_a_stored_decision_runs_again_the_same(of_pack, monkeypatch):
    """Even when zones and holidays have changed since: what was resolved once is used for ever."""
    acts = [(s.step, Facts.model_validate({**of_pack.sound, **s.change})) for s in of_pack.stories if s.step]
    decisions = [evaluate(shipped().packs_of(facts), step, facts) for step, facts in acts]
    monkeypatch.setattr(law_calendar, "holiday_on", lambda *_: "a new holiday")
    monkeypatch.setattr(law_calendar, "zone", lambda _: pytest.fail("looked up again"))
    for decision in decisions:
        stored = decision.to_json()
        told = Facts.from_json(decision.facts.to_json())
        again = evaluate(shipped().exactly(stored["packs"]), decision.step, told)
        assert again.to_json() == stored
        assert [Finding.from_json(each) for each in stored["findings"]] == list(decision.findings)


def test_a_decision_holds_what_it_rests_on():
    stored = judge(Step.PLAN, at=datetime.fromisoformat("2026-02-17T10:00:00+08:00")).to_json()
    assert stored["resolved"]["utc_offset_seconds"] == 28800
    assert stored["resolved"]["holiday"]
    assert {"holidays", "timezonefinder"} <= set(stored["resolved"]["data"])
    assert {each["id"] for each in stored["packs"]} == {"house", "tw"}


def test_a_version_that_is_gone_is_named():
    with pytest.raises(UnknownVersion, match="tw 1"):
        shipped().exactly([{"id": "tw", "version": "1", "digest": "00"}])


def test_a_new_version_applies_from_its_day_by_the_debtors_calendar():
    text = load_packs()["tw"].text.replace("until: 22:00, until_included: true", "until: 21:00")
    law = shipped().with_version(read_pack("tw.yaml", text.encode()), date(2026, 4, 1))
    late = SOUND["tw"].moved_to(datetime.fromisoformat("2026-03-31T21:30:00+08:00"))
    assert evaluate(law.packs_of(late), Step.DISPATCH, late).verdict is Verdict.PASS
    next_day = late.moved_to(late.at + timedelta(days=1))
    assert evaluate(law.packs_of(next_day), Step.DISPATCH, next_day).verdict is Verdict.BLOCK
    by_utc = SOUND["tw"].moved_to(datetime.fromisoformat("2026-03-31T16:30:00+00:00"))
    assert law.packs_of(by_utc)[1].text == text  # half past midnight on 1 April in Taipei
