"""A day that is planned anew at some hour: what each team still has before it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.visits.building.day_builder import Crew, crews_of
from services.visits.building.replan import SoFar, under_way
from services.visits.plans.plan_basis import Basis
from services.visits.plans.schemas import DayPlanBody, LateTeamBody, ReplanBody, RestBody
from services.visits.routing.day import Day, Door, Rest, Team
from services.visits.visit.domain import VisitStatus
from services.visits.visit.tables import VisitRow
from tests.visits.conftest import MONDAY, taipei

TEAM, OTHER = UUID(int=1), UUID(int=2)
CASES = [UUID(int=number) for number in range(10, 16)]
TAIPEI = ZoneInfo("Asia/Taipei")
ORIGIN = datetime(2026, 3, 1, tzinfo=UTC)
BODY = DayPlanBody(day=MONDAY, team_ids=[TEAM, OTHER], rest=RestBody())


def second(hour: int, minute: int = 0) -> int:
    return int((taipei(MONDAY, hour, minute) - ORIGIN).total_seconds())


def so_far(*done: VisitRow, **happened) -> SoFar:
    """The first team makes six visits of half an hour, ten minutes apart, from nine o'clock on; it rests at half past
    eleven, as the timetable has it."""
    rest = Rest(second(11, 30), second(14), 2_700)
    teams = tuple(Team(str(team), 0, 0, (second(9), second(18)), 15, rest) for team in (TEAM, OTHER))
    doors = tuple(Door(str(case_id), n + 1, ((second(9), second(17)),), 1800, 900) for n, case_id in enumerate(CASES))
    table = [[0 if a == b else 600 for b in range(7)] for a in range(7)]
    basis = Basis(ORIGIN, Day(teams, doors, table), tuple((25 + n / 100, 121.5) for n in range(7)), table, {})
    return SoFar(ReplanBody(**happened), basis, {str(TEAM): [str(case_id) for case_id in CASES]}, done)


def crews_at(day: SoFar, now: datetime) -> dict[UUID, Crew]:
    return {crew.team_id: crew for crew in under_way(day, crews_of(BODY, TAIPEI, now), now).crews}


@pytest.mark.parametrize(("hour", "minute", "rests"), [(9, 0, True), (11, 0, True), (12, 30, False), (13, 0, False)])
def test_a_break_that_the_plan_before_had_is_not_planned_again(hour, minute, rests):
    [route] = so_far().basis.routes_of(so_far().routes)
    assert route.rest is not None
    begins = so_far().basis.at(route.rest[0])
    now = taipei(MONDAY, hour, minute)
    assert (begins > now) == rests
    crew = crews_at(so_far(), now)[TEAM]
    assert (crew.rest is not None) == rests
    assert crew.starts == max(now, taipei(MONDAY, 9), now if rests else so_far().basis.at(route.rest[1]))


def test_a_team_goes_on_from_its_last_door_with_what_it_may_still_make():
    visit = VisitRow(
        case_id=CASES[0], team_id=TEAM, status=VisitStatus.COMPLETED, window_start=taipei(MONDAY, 9, 10),
        window_end=taipei(MONDAY, 9, 40), ended_at=taipei(MONDAY, 10), purpose="DEMAND",
    )  # fmt: skip
    day = so_far(visit, late=[LateTeamBody(team_id=TEAM, minutes=20)])
    crew = crews_at(day, taipei(MONDAY, 9, 50))[TEAM]
    assert (crew.start, crew.visits_max) == (day.basis.positions[1], 14)
    assert crew.starts == taipei(MONDAY, 10) + timedelta(minutes=20)
    assert set(crews_at(so_far(ill_team_ids=[TEAM]), taipei(MONDAY, 9))) == {OTHER}
