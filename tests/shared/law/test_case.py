"""From the records of a case to the facts of an act: what counts at which time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.law import (
    Act,
    Facts,
    Grant,
    HoldFacts,
    HoldReason,
    HoldScope,
    Recorded,
    Step,
    Verdict,
    completed,
    evaluate,
    facts_of_case,
    read_pack,
    shipped,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Row:
    jurisdiction: str = "uk"
    country: str | None = "GB"
    region: str | None = None
    time_zone: str | None = "Europe/London"
    product: str | None = ""
    transferred: bool | None = None
    first_contact_at: datetime | None = None


@dataclass
class Reviewed:
    changed_at: datetime | None = None
    reviewed_on: date | None = None
    listed: bool | None = None


def facts(at=NOON, row=None, **recorded):
    return facts_of_case(row or Row(), Recorded(**recorded), Act(at=at))


def held(since=None, until=None):
    return HoldFacts(reason=HoldReason.COMPLAINT_PENDING, scope=HoldScope.ALL, since=since, until=until)


@pytest.mark.parametrize(
    ("hold", "known"),
    [
        (held(), [(None, None)]),
        (held(since=NOON), [(None, None)]),
        (held(since=NOON - DAY, until=NOON + HOUR), [(None, None)]),  # it stops the act, whatever comes later
        (held(since=NOON - DAY, until=NOON), []),
        (held(since=NOON + HOUR), [(NOON + HOUR, None)]),  # it may begin while the act lasts
        (held(since=NOON + HOUR, until=NOON + DAY), [(NOON + HOUR, NOON + DAY)]),
    ],
)
def test_a_hold_counts_by_the_time_of_the_act(hold, known):
    assert [(each.since, each.until) for each in facts(holds=[hold]).holds] == known


@pytest.mark.parametrize(
    ("kind", "sent", "visited", "counts"),
    [
        ("PRIOR_NOTICE", [NOON - DAY, NOON - 2 * DAY], None, NOON - 2 * DAY),
        ("AGENT", [NOON - 2 * DAY, NOON - DAY, NOON + DAY], None, NOON - DAY),
        ("AGENT", [NOON + DAY], None, NOON + DAY),
        ("VISIT", [NOON - 3 * DAY], NOON - 2 * DAY, None),  # that visit was made
        ("VISIT", [NOON - 3 * DAY, NOON - DAY], NOON - 2 * DAY, NOON - DAY),
        ("VISIT", [NOON - 3 * DAY], NOON + DAY, NOON - 3 * DAY),
        ("A_KIND_OF_NO_LAW", [NOON], None, None),
    ],
)
def test_the_notice_that_counts(kind, sent, visited, counts):
    assert facts(notices={kind: sent}, last_visit_at=visited).notices.get(kind) == counts


def test_a_visit_with_contact_is_a_first_contact_and_an_earlier_call_comes_before_it():
    assert facts().first_contact_at is None
    assert facts(contact_visits=[NOON - DAY, NOON - 3 * DAY]).first_contact_at == NOON - 3 * DAY
    called = Row(first_contact_at=NOON - 5 * DAY)
    assert facts(row=called, contact_visits=[NOON - DAY]).first_contact_at == NOON - 5 * DAY


def test_a_grant_counts_until_its_end_and_one_given_later_keeps_its_time():
    grants = [
        Grant(scope="HOURS", evidence="ended", since=NOON - DAY, until=NOON),
        Grant(scope="HOURS", evidence="later", since=NOON + DAY),
        Grant(scope="HOURS", evidence="running", until=NOON + HOUR),
    ]
    assert [each.evidence for each in facts(grants=grants).grants] == ["later", "running"]


def test_what_a_lender_says_about_its_agent_are_facts_and_unknown_without_it():
    known = facts(agency=Reviewed(NOON, date(2026, 1, 5), True))
    assert (known.agent_changed_at, known.agency_reviewed_on, known.agency_listed) == (NOON, date(2026, 1, 5), True)
    unknown = facts()
    assert (unknown.agent_changed_at, unknown.agency_reviewed_on, unknown.agency_listed) == (None, None, None)
    assert unknown.product is None


def test_stated_facts_get_what_follows_from_them():
    stated = Facts(jurisdiction="uk", at=NOON, contact_visits=(NOON - DAY,), holds=(held(until=NOON - HOUR),))
    found = completed(stated)
    assert (found.first_contact_at, found.holds) == (NOON - DAY, ())
    assert completed(found) == found


def test_a_law_that_is_narrower_by_now_judges_a_case_that_was_opened_before_it():
    text = "id: us-ny\nversion: '1'\nwithin: us\ntitle: {en: New York, zh: 紐約}\nrules:\n"
    text += "  - {id: us-ny-none, kind: forbidden-place, steps: [PLAN], effect: block, authority: law,\n"
    text += "     verified: primary, source: A law of New York, parameters: {places: [HOME]},\n"
    text += "     says: {en: Not at home., zh: 不得至住家。}}\n"
    law = shipped().with_version(read_pack("us-ny.yaml", text.encode()), date(2026, 3, 2))
    case = Row("us", "US", "NY", "America/New_York")
    for at, rules in ((NOON, {"us-ny-none"}), (NOON - DAY, set())):
        found = facts(at + 3 * HOUR, case, address_verified=True, hazard=False)
        decision = evaluate(law.packs_of(found), Step.PLAN, found)
        assert {each.rule_id for each in decision.findings if each.verdict is Verdict.BLOCK} == rules
