"""The life of a collector and the members of a team, as pure decisions."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from services.visits.people import domain
from services.visits.people.domain import Action, CollectorStatus
from shared.errors import Conflict, Invalid
from tests.visits.conftest import MONDAY, taipei

C, A, S, L = CollectorStatus
ONE, TWO, THREE = (UUID(int=number) for number in range(1, 4))
TEAM = UUID(int=9)


@pytest.mark.parametrize(
    ("status", "action", "expected"),
    [
        (C, Action.CLEAR, A),
        (A, Action.CLEAR, "collector-active"),
        (S, Action.CLEAR, "collector-suspended"),
        (C, Action.SUSPEND, S),
        (A, Action.SUSPEND, S),
        (S, Action.SUSPEND, "collector-suspended"),
        (S, Action.REINSTATE, A),
        (A, Action.REINSTATE, "collector-active"),
        (C, Action.REINSTATE, "collector-candidate"),
        (C, Action.LEAVE, L),
        (A, Action.LEAVE, L),
        (S, Action.LEAVE, L),
        *((L, action, "collector-left") for action in Action),
    ],
)
def test_each_action_fits_some_statuses(status, action, expected):
    if isinstance(expected, CollectorStatus):
        assert domain.next_status(status, action, before=A) is expected
        return
    with pytest.raises(Conflict) as refused:
        domain.next_status(status, action, before=A)
    assert refused.value.code == expected


@pytest.mark.parametrize(("before", "after"), [("ACTIVE", A), ("CANDIDATE", C)])
def test_a_reinstatement_clears_no_candidate(before, after):
    statuses = [{"before": before, "status": "SUSPENDED", "from": taipei(MONDAY, 9).isoformat()}]
    assert domain.next_status(S, Action.REINSTATE, before=domain.status_before_suspension(statuses)) is after
    assert domain.status_before_suspension([]) is C


def test_a_status_counts_from_its_time_on():
    suspended, back = taipei(MONDAY, 11), taipei(MONDAY, 15)
    statuses = [
        {"before": "ACTIVE", "status": "SUSPENDED", "from": suspended.isoformat()},
        {"before": "SUSPENDED", "status": "ACTIVE", "from": back.isoformat()},
    ]
    second = timedelta(seconds=1)
    moments = (suspended - second, suspended, back - second, back)
    assert [domain.status_at("ACTIVE", statuses, at) for at in moments] == [A, S, S, A]
    assert domain.status_at("SUSPENDED", [], suspended - second) is S  # a row of an earlier release


@dataclass(frozen=True)
class Version:
    id: UUID
    from_day: date
    collector_ids: list[str]
    team_id: UUID = TEAM


def test_the_members_of_a_day_are_those_of_the_latest_first_day():
    names = [[str(each) for each in pair] for pair in ((ONE, TWO), (ONE, THREE), (TWO, THREE))]
    versions = [
        Version(UUID(int=30), MONDAY + timedelta(days=2), names[1]),
        Version(UUID(int=10), domain.FIRST_DAY, names[0]),
        Version(UUID(int=40), MONDAY + timedelta(days=2), names[2]),
    ]
    on = [domain.members_on(versions, MONDAY + timedelta(days=days))[TEAM] for days in (-900, 1, 2, 99)]
    assert on == [[ONE, TWO], [ONE, TWO], [TWO, THREE], [TWO, THREE]]
    assert domain.members_on(versions[:1], MONDAY) == {}


@pytest.mark.parametrize(("days", "fits"), [(-2, False), (-1, True), (0, True), (365, True), (366, False)])
def test_what_was_is_not_rewritten(days, fits):
    """At two on Monday, UTC, it is Sunday still at the western end of the world."""
    now = datetime.fromisoformat("2026-03-02T02:00:00+00:00")
    if fits:
        domain.check_from_day(MONDAY + timedelta(days=days), now)
        return
    with pytest.raises(Invalid) as refused:
        domain.check_from_day(MONDAY + timedelta(days=days), now)
    assert refused.value.code == "day-out-of-reach"


def test_a_collector_is_on_two_teams_only_where_their_days_meet():
    other, tuesday, wednesday = UUID(int=8), MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
    first = [Version(ONE, MONDAY, [str(ONE), str(TWO)]), Version(TWO, wednesday, [str(THREE)])]
    joins = [*first, Version(THREE, tuesday, [str(ONE)], other)]
    found = domain.first_on_two_teams(joins, [ONE], MONDAY)
    assert {(each.team_id, each.day) for each in found} == {(team, tuesday) for team in (TEAM, other)}
    assert domain.first_on_two_teams(joins, [TWO, THREE], MONDAY) == []
    assert domain.first_on_two_teams(joins, [ONE], wednesday) == []
    later = [*first, Version(THREE, wednesday, [str(ONE)], other)]
    assert domain.first_on_two_teams(later, [ONE], MONDAY) == []
