"""Decisions about a visit's end: why it was missed, what a report sent again has otherwise, what a supplement adds."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.visits.visit import domain
from services.visits.visit.domain import MissedReason, Supplement, VisitStatus
from shared.errors import Conflict, Invalid

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Taipei
KNOWN = {"arrived": 0, "blocked": False, "team_ill": False, "team_late": False}


@pytest.mark.parametrize(
    ("status", "known", "reason"),
    [
        (VisitStatus.PLANNED, {}, MissedReason.NOT_DISPATCHED),
        (VisitStatus.PLANNED, {"team_ill": True, "team_late": True}, MissedReason.COLLECTOR_UNAVAILABLE),
        (VisitStatus.PLANNED, {"team_late": True}, MissedReason.ROUTE_OVERRUN),
        (VisitStatus.PLANNED, {"blocked": True, "team_ill": True}, MissedReason.RULE_BLOCKED),
        (VisitStatus.DISPATCHED, {}, MissedReason.NO_CHECK_IN),
        (VisitStatus.EN_ROUTE, {}, MissedReason.NO_CHECK_IN),
        (VisitStatus.EN_ROUTE, {"team_late": True}, MissedReason.ROUTE_OVERRUN),
        (VisitStatus.DISPATCHED, {"arrived": 1, "team_late": True}, MissedReason.CHECK_IN_INCOMPLETE),
        (VisitStatus.DISPATCHED, {"arrived": 2, "blocked": True}, MissedReason.RULE_BLOCKED),
    ],
)
def test_a_missed_visit_has_the_reason_that_is_known(status, known, reason):
    assert domain.why_missed(status, **(KNOWN | known)) == reason


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        (MONDAY, "Asia/Taipei", datetime(2026, 3, 2, 16, tzinfo=UTC)),
        (MONDAY, "America/New_York", datetime(2026, 3, 3, 5, tzinfo=UTC)),
        (date(2026, 3, 8), "America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC)),  # summer time began that day
    ],
)
def test_a_day_ends_at_the_next_midnight_of_its_place(day, zone, end):
    assert domain.day_end(day, zone) == end


def test_late_evidence_is_of_the_visits_own_day():
    domain.check_late_evidence(domain.day_end(MONDAY, "Asia/Taipei") - timedelta(seconds=1), MONDAY, "Asia/Taipei")
    with pytest.raises(Conflict, match="missed"):
        domain.check_late_evidence(domain.day_end(MONDAY, "Asia/Taipei"), MONDAY, "Asia/Taipei")


@pytest.mark.parametrize(
    ("status", "missed_status", "late"),
    [
        ("DISPATCHED", None, False),
        ("EN_ROUTE", None, False),
        ("MISSED", "DISPATCHED", True),
        ("MISSED", "PLANNED", None),
        ("PLANNED", None, None),
        ("COMPLETED", None, None),
    ],
)
def test_a_missed_visit_takes_a_report_if_its_team_was_sent(status, missed_status, late):
    allowed = (VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE)
    if late is None:
        with pytest.raises(Conflict):
            domain.check_reportable(status, missed_status, allowed, to="checked in")
    else:
        assert domain.check_reportable(status, missed_status, allowed, to="checked in") is late


def test_a_visit_ends_after_it_began_by_more_than_two_clocks_differ():
    assert domain.settled_end(NOON, NOON + timedelta(minutes=5)) == NOON + timedelta(minutes=5)
    assert domain.settled_end(NOON, NOON - timedelta(seconds=59)) == NOON
    with pytest.raises(Invalid):
        domain.settled_end(NOON, NOON - timedelta(seconds=60))


@pytest.mark.parametrize(
    ("stored", "sent", "names"),
    [
        ({}, {}, []),
        ({"a": 1, "b": None}, {"a": 1}, []),
        ({"at": NOON}, {"at": NOON.astimezone(UTC)}, []),
        ({"conduct": ["A", "B"]}, {"conduct": ["B", "A"]}, []),
        ({"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 2, "d": 4}, ["a", "c", "d"]),
        ({"statement": None}, {"statement": "x"}, ["statement"]),
    ],
)
def test_what_a_report_sent_again_has_otherwise(stored, sent, names):
    assert domain.differing(stored, sent) == names


def test_a_supplement_adds_what_is_missing_and_changes_nothing():
    kept = Supplement({"authority_shown": True}, {"ENTRY": "5a"}, {"d1": {}})
    sent = Supplement({"authority_shown": True, "willing_now": True}, {"ENTRY": "5a"}, {"d1": {}, "d2": {}})
    added = domain.added_to(kept, sent)
    assert added.names == ["evidence", "willing_now"]
    assert added.evidence.keys() == {"d2"}
    assert domain.added_to(kept, kept).names == []
    for other in (Supplement({"authority_shown": False}, {}, {}), Supplement({}, {"ENTRY": "6b"}, {})):
        with pytest.raises(Conflict) as refused:
            domain.added_to(kept, other)
        assert refused.value.fields["differs"] in (["authority_shown"], ["consent:ENTRY"])


def test_the_next_visit_after_an_abort_is_on_a_later_day():
    assert domain.next_day(MONDAY, NOON, "Asia/Taipei") == date(2026, 3, 3)
    assert domain.next_day(MONDAY, NOON + timedelta(days=1), "Asia/Taipei") == date(2026, 3, 4)
