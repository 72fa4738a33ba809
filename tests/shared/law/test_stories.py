"""For each rule that is judged, a story in which it lets pass and one in which it does not."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.law import (
    Certificate,
    CollectorFacts,
    Facts,
    HoldFacts,
    HoldReason,
    PersonMet,
    Step,
    Verdict,
    VisitPurpose,
    evaluate,
    shipped,
)

TAIPEI = timezone(timedelta(hours=8))
MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=TAIPEI)
CARD = Certificate(code="FIELD", valid_from=date(2025, 1, 1), valid_until=date(2026, 12, 31))


def collector(ref: str = "a", **changes: Any) -> CollectorFacts:
    sound = {
        "ref": ref,
        "cleared": True,
        "certificates": (CARD,),
        "violent_crime_record": False,
        "bad_credit": False,
        "confidentiality_agreement": True,
        "experience": True,
        "last_assessed_on": date(2025, 11, 1),
    }
    return CollectorFacts(**{**sound, **changes})


def facts(**changes: Any) -> Facts:
    """A visit against which nothing stands."""
    sound = {
        "jurisdiction": "tw",
        "country": "TW",
        "at": MONDAY,
        "indoor": False,
        "person_met": PersonMet.DEBTOR,
        "third_party_data": False,
        "address_verified": True,
        "hazard": False,
        "collectors": (collector("a"), collector("b")),
        "checked_in": ("a", "b"),
        "required_certificates": frozenset({"FIELD"}),
        "notices": {"PRIOR_NOTICE": MONDAY - timedelta(days=10)},
        "credentials_shown": True,
        "authority_shown": True,
        "recordings": 1,
        "agency_reviewed_on": date(2025, 9, 1),
        "agency_listed": True,
        "product": "CREDIT_CARD",
        "distance_m": 20,
        "accuracy_m": 10,
        "clock_offset_seconds": 2,
        "calls_unanswered_today": 0,
        "calls_effective_today": 0,
        "fees_taken": False,
    }
    return Facts(**{**sound, **changes})


def cn(**changes: Any) -> dict[str, Any]:
    return {"jurisdiction": "cn", "country": "CN", **changes}


STORIES = [
    ("house-pair", Step.DISPATCH, {"collectors": (collector(),)}, Verdict.BLOCK),
    ("house-pair", Step.CHECK_IN, {"checked_in": ("a", "a")}, Verdict.BLOCK),
    ("house-visit-cap", Step.PLAN, {"contact_visits": (MONDAY - timedelta(days=6),)}, Verdict.BLOCK),
    ("house-address", Step.PLAN, {"address_verified": False}, Verdict.BLOCK),
    ("house-hazard", Step.DISPATCH, {"hazard": True}, Verdict.BLOCK),
    ("house-holiday", Step.PLAN, {"at": datetime(2026, 2, 17, 10, tzinfo=TAIPEI)}, Verdict.BLOCK),
    ("house-cert", Step.DISPATCH, {"collectors": (collector("a"), collector("b", certificates=()))}, Verdict.BLOCK),
    ("house-cert", Step.DISPATCH, {"collectors": (collector("a"), collector("b", cleared=False))}, Verdict.BLOCK),
    ("house-hold", Step.DISPATCH, {"holds": (HoldFacts(reason=HoldReason.COMPLAINT_PENDING),)}, Verdict.BLOCK),
    ("house-clock", Step.CHECK_IN, {"distance_m": 301}, Verdict.WARN),
    ("tw-hours", Step.DISPATCH, {"at": MONDAY.replace(hour=22, minute=1)}, Verdict.BLOCK),
    ("tw-prior-notice", Step.PLAN, {"notices": {"PRIOR_NOTICE": MONDAY + timedelta(days=1)}}, Verdict.BLOCK),
    ("tw-no-third-party", Step.INTAKE, {"third_party_data": True}, Verdict.BLOCK),
    ("tw-no-third-party-contact", Step.CALL, {"person_met": PersonMet.THIRD_PARTY}, Verdict.BLOCK),
    ("tw-show-authority", Step.COMPLETION, {"authority_shown": False}, Verdict.WARN),
    ("tw-entry", Step.COMPLETION, {"indoor": True}, Verdict.WARN),
    ("tw-staff", Step.DISPATCH, {"collectors": (collector("a"), collector("b", experience=False))}, Verdict.BLOCK),
    ("cn-hours", Step.DISPATCH, cn(at=MONDAY.replace(hour=7, minute=59)), Verdict.BLOCK),
    ("cn-two-person", Step.DISPATCH, cn(collectors=(collector(),)), Verdict.BLOCK),
    ("cn-show-id", Step.COMPLETION, cn(credentials_shown=False), Verdict.WARN),
    ("cn-record-visit", Step.COMPLETION, cn(recordings=0), Verdict.WARN),
    ("cn-entry-consent", Step.COMPLETION, cn(indoor=True), Verdict.WARN),
    ("cn-call-unanswered", Step.CALL, cn(calls_unanswered_today=6), Verdict.WARN),
    ("cn-call-cap", Step.CALL, cn(calls_effective_today=3), Verdict.BLOCK),
    ("cn-debtor-only", Step.CALL, cn(person_met=PersonMet.THIRD_PARTY), Verdict.BLOCK),
    ("cn-no-fees", Step.COMPLETION, cn(fees_taken=True), Verdict.WARN),
    ("cn-card-plan-max", Step.COMPLETION, cn(arrangement_months=61), Verdict.WARN),
    ("cn-agency-review", Step.DISPATCH, cn(agency_reviewed_on=date(2025, 1, 1)), Verdict.BLOCK),
    ("cn-staff", Step.DISPATCH, cn(collectors=(collector(), collector("b", bad_credit=True))), Verdict.BLOCK),
]


def judge(step: Step, **changes: Any):
    told = facts(**changes)
    return evaluate(shipped().packs_of(told), step, told)


@pytest.mark.parametrize("jurisdiction", ["tw", "cn"])
@pytest.mark.parametrize("step", list(Step))
def test_a_sound_act_passes_every_rule(jurisdiction, step):
    decision = judge(step, **(cn() if jurisdiction == "cn" else {}))
    assert decision.verdict is Verdict.PASS, decision.as_sentences("en")


@pytest.mark.parametrize(("rule", "step", "changes", "verdict"), STORIES, ids=lambda value: str(value)[:40])
def test_each_rule_stops_its_story_alone_and_says_why(rule, step, changes, verdict):
    decision = judge(step, **changes)
    assert decision.verdict is verdict
    found = {finding.rule_id: finding for finding in decision.deciding}
    assert rule in found
    assert found[rule].source
    assert found[rule].reason_en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in found[rule].reason_zh)


MISSING = [
    (Step.DISPATCH, {"collectors": None}, "collectors"),
    (Step.PLAN, {"address_verified": None}, "address_verified"),
    (Step.PLAN, {"notices": {}}, "notices.PRIOR_NOTICE"),
    (
        Step.DISPATCH,
        {"collectors": (collector(violent_crime_record=None), collector("b"))},
        "collectors.violent_crime_record",
    ),
    (Step.DISPATCH, cn(agency_reviewed_on=None), "agency_reviewed_on"),
    (Step.PLAN, {"country": None, "time_zone": "Asia/Taipei"}, "country"),
    (Step.PLAN, {"country": None}, "time_zone"),
]


@pytest.mark.parametrize(("step", "changes", "name"), MISSING)
def test_a_missing_fact_blocks_and_is_named(step, changes, name):
    decision = judge(step, **changes)
    assert decision.verdict is Verdict.BLOCK
    assert name in decision.missing


def test_completion_never_blocks():
    decision = judge(Step.COMPLETION, authority_shown=None, indoor=None, at=MONDAY.replace(hour=23))
    assert decision.verdict is Verdict.WARN
    assert decision.record_incomplete
    assert decision.missing == ["authority_shown", "indoor"]


def test_an_override_counts_only_where_the_rule_names_it():
    late = {"at": MONDAY.replace(hour=23)}
    assert judge(Step.DISPATCH, **late, consents={"DEBTOR_REQUEST": "e1"}).verdict is Verdict.BLOCK
    allowed = judge(Step.DISPATCH, **late, consents={"HOURS": "evidence-7"})
    assert allowed.verdict is Verdict.PASS
    assert [f.overridden_by for f in allowed.findings if f.rule_id == "tw-hours"] == ["evidence-7"]


@pytest.mark.parametrize(
    ("purpose", "reason", "blocked"),
    [
        (VisitPurpose.DEMAND, HoldReason.PROMISE_ACTIVE, True),
        (VisitPurpose.AGREED_REVISIT, HoldReason.PROMISE_ACTIVE, False),
        (VisitPurpose.HARDSHIP_REVIEW, HoldReason.HARDSHIP_REVIEW, False),
        (VisitPurpose.AGREED_REVISIT, HoldReason.COMPLAINT_PENDING, True),
    ],
)
def test_a_hold_stops_a_purpose(purpose, reason, blocked):
    decision = judge(Step.PLAN, purpose=purpose, holds=(HoldFacts(reason=reason),))
    assert (decision.verdict is Verdict.BLOCK) is blocked


def test_a_country_without_a_pack_gets_the_house_rules_and_a_warning():
    decision = judge(Step.PLAN, jurisdiction="fr", country="FR", time_zone="Europe/Paris")
    assert decision.verdict is Verdict.WARN
    assert "No law is encoded" in decision.as_sentences("en")[0]


def test_a_stored_decision_runs_again_the_same():
    told = facts(at=datetime(2026, 3, 2, 15, 30, tzinfo=UTC), contact_visits=(MONDAY,))
    decision = evaluate(shipped().packs_of(told), Step.DISPATCH, told)
    stored = decision.to_json()
    again = evaluate(shipped().exactly(stored["packs"]), Step.DISPATCH, Facts.from_json(decision.facts.to_json()))
    assert again.to_json() == decision.to_json()
