"""Who may be visited on a day, when and by whom: lawful hours by the clock of the address, holidays, the debtor's
windows, certificates. Each plan's doors begin from here."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.visits.building.day_builder import crews_of
from services.visits.candidates.judging import DayJudge, start_windows
from services.visits.caseload.tables import CaseloadRow
from services.visits.plans.schemas import DayPlanBody, RestBody, Shift
from services.visits.routing.reasons import Reason
from services.visits.settings import VisitsSettings
from shared.ids import new_id
from shared.law import Certificate, CollectorFacts, NoticeKind, shipped

MONDAY = date(2026, 3, 2)
TEAM, OTHER = UUID(int=1), UUID(int=2)
US = {"jurisdiction": "us", "country": "US", "time_zone": "America/New_York", "currency": "USD", "region": None}
UK = {"jurisdiction": "uk", "country": "GB", "time_zone": "Europe/London", "currency": "GBP"}


def case(**facts: Any) -> CaseloadRow:
    """A case in Taipei of which all is known that the law asks for."""
    sound: dict[str, Any] = {
        "id": new_id(), "lender_id": "lender-1", "opened": True, "jurisdiction": "tw", "country": "TW",
        "time_zone": "Asia/Taipei", "product": "CREDIT_CARD", "currency": "TWD", "balance_minor": 25_000_000,
        "days_past_due": 60, "wanted": True, "address_verified": True, "hazard": False,
        "notices": {kind: ["2026-02-20T10:00:00+00:00"] for kind in NoticeKind},
    }  # fmt: skip
    return CaseloadRow(**(sound | facts))


def collector(number: int, **facts: Any) -> CollectorFacts:
    certificate = Certificate(code="FIELD-COLLECTION", valid_from=date(2025, 6, 1), valid_until=date(2027, 6, 1))
    sound: dict[str, Any] = {
        "ref": str(UUID(int=number)), "cleared": True, "certificates": (certificate,), "violent_crime_record": False,
        "bad_credit": False, "confidentiality_agreement": True, "experience": True,
        "last_assessed_on": date(2025, 11, 1),
    }  # fmt: skip
    return CollectorFacts(**(sound | facts))


TEAMS = {TEAM: (collector(11), collector(12)), OTHER: (collector(13), collector(14))}


def judged(
    row: CaseloadRow,
    day: date = MONDAY,
    teams: dict[UUID, tuple[CollectorFacts, ...]] | None = None,
    now: datetime = datetime(2026, 3, 1, tzinfo=UTC),
):
    return DayJudge(shipped(), day, teams or TEAMS, VisitsSettings(), now, {}).judge(row)


def hours(judgement, zone_hours: int) -> list[tuple[float, float]]:
    """Windows by the clock of a zone so far from UTC, in hours of its day."""
    shift = timedelta(hours=zone_hours)
    return [
        tuple((moment.astimezone(UTC) + shift).hour + moment.minute / 60 for moment in window)
        for window in judgement.windows
    ]


def test_the_day_in_taipei_has_the_houses_hours_and_both_teams():
    found = judged(case())
    assert (found.reason, found.team_ids) == (None, {TEAM, OTHER})
    [(opens, closes)] = hours(found, 8)
    assert 7 <= opens < closes <= 22


@pytest.mark.parametrize(("day", "offset"), [(date(2026, 3, 7), -5), (date(2026, 3, 9), -4), (date(2026, 11, 2), -5)])
def test_lawful_hours_follow_the_clock_of_the_address_through_summer_time(day, offset):
    """8:00 to 21:00 in New York (12 CFR 1006.6(b)(1)(i)), whatever that is in UTC."""
    found = judged(case(**US), day)
    assert found.reason is None, found
    assert hours(found, offset) == [(8, 21)]


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_on_the_day_the_clock_changes_shift_and_law_mean_the_same_clock(day):
    found = judged(case(**US), day)
    [(opens, _)] = found.windows
    zone = opens.tzinfo
    body = DayPlanBody(day=day, team_ids=[TEAM], shift=Shift(start="08:00", end="21:00"))
    [crew] = crews_of(body, zone, datetime(2026, 1, 1, tzinfo=UTC))
    assert (crew.starts, crew.ends) == found.windows[0]
    assert crew.ends.astimezone(UTC) - crew.starts.astimezone(UTC) == timedelta(hours=13)
    origin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    [(first, last)] = start_windows(found, 1200, origin)
    assert origin + timedelta(seconds=first) == opens
    assert last - first == 13 * 3600 - 1200


@pytest.mark.parametrize(
    ("facts", "day"),
    [
        (US, date(2026, 7, 3)),  # Independence Day, observed
        (UK, date(2026, 4, 3)),  # Good Friday
        ({}, date(2026, 2, 17)),  # Lunar New Year
        ({}, date(2026, 10, 9)),  # National Day, made up on the Friday before
    ],
)
def test_nobody_is_visited_on_a_public_holiday_of_the_place(facts, day):
    found = judged(case(**facts), day)
    assert (found.windows, found.reason, found.rule_id) == ((), Reason.RULE, "house-holiday")
    assert found.decision is not None


@pytest.mark.parametrize(("hour", "rests"), [(8, True), (12, True), (14, False), (17, False)])
def test_a_rest_that_was_due_before_a_plan_was_asked_for_is_over(hour, rests):
    zone = ZoneInfo("Asia/Taipei")
    body = DayPlanBody(day=MONDAY, team_ids=[TEAM], rest=RestBody())
    [crew] = crews_of(body, zone, datetime(2026, 3, 2, hour, tzinfo=zone))
    assert crew.starts.astimezone(zone).hour == max(9, hour)
    assert (crew.rest is not None) == rests


def test_windows_are_those_of_the_law_and_of_the_debtor():
    wishes = [
        {"weekday": 1, "opens_at": "06:00", "closes_at": "10:00"},
        {"weekday": 1, "opens_at": "15:30", "closes_at": "17:00"},
        {"weekday": 2, "opens_at": "12:00", "closes_at": "13:00"},
    ]
    found = judged(case(preference={"windows": wishes}))
    (first_opens, first_closes), second = hours(found, 8)
    assert (first_closes, second) == (10, (15.5, 17))
    assert first_opens > 6
    assert judged(case(preference={"windows": wishes[2:]})).reason is Reason.NO_WINDOW


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"address_verified": None}, Reason.ADDRESS_UNVERIFIED),
        ({"hazard": True}, Reason.HAZARD),
        ({"active_promises": ["p"]}, Reason.HELD),
        ({"holds": {"h": {"reason": "COMPLAINT_PENDING", "scope": "all"}}}, Reason.HELD),
        ({"notices": {}, **UK}, Reason.RULE),
    ],
)
def test_what_keeps_a_case_off_has_a_reason_and_its_decision(facts, reason):
    found = judged(case(**facts))
    assert found.reason is reason
    assert found.rule_id
    assert found.decision is not None


def test_a_team_without_the_certificate_on_that_day_is_not_sent():
    ended = Certificate(code="FIELD-COLLECTION", valid_from=date(2025, 6, 1), valid_until=MONDAY)
    teams = TEAMS | {OTHER: (collector(13), collector(14, certificates=(ended,)))}
    assert judged(case(), MONDAY, teams).team_ids == {TEAM, OTHER}
    assert judged(case(), MONDAY + timedelta(days=1), teams).team_ids == {TEAM}
    alone = {OTHER: (collector(13),)}
    assert judged(case(), MONDAY, alone).reason is Reason.NO_TEAM


def test_a_visit_ends_within_its_window_or_does_not_begin():
    wishes = [{"weekday": 1, "opens_at": "15:00", "closes_at": "15:15"}]
    found = judged(case(preference={"windows": wishes}))
    origin = datetime(2026, 3, 1, tzinfo=UTC)
    assert start_windows(found, 1200, origin) == ()
    [(first, last)] = start_windows(found, 900, origin)
    assert first == last


def test_what_became_known_since_noon_counts_when_the_day_is_planned_in_the_afternoon():
    hold = {"reason": "COMPLAINT_PENDING", "scope": "all", "from": "2026-03-02T13:00:00+08:00"}
    two, three = (datetime(2026, 3, 2, hour, tzinfo=ZoneInfo("Asia/Taipei")) for hour in (14, 15))
    assert judged(case(holds={"h": hold}), now=two).reason is Reason.HELD
    released = hold | {"from": "2026-03-01T13:00:00+08:00", "until": "2026-03-02T14:30:00+08:00"}
    assert judged(case(holds={"h": released}), now=two).reason is Reason.HELD
    assert judged(case(holds={"h": released}), now=three).windows
