"""Every door that is left out has the reason that a supervisor would find by hand."""

from dataclasses import replace

import pytest

from services.visits.routing.checker import errors_of
from services.visits.routing.day import Day, Door, Effort, Plan, Rest, Team
from services.visits.routing.insertion import plan_by_insertion
from services.visits.routing.reasons import Reason, explained, impossible, without
from services.visits.routing.solver import plan_by_solver
from tests.visits.routing.days import HOUR, SHIFT, day_of, table


def reason_of(day: Day, door: str) -> str:
    before = impossible(day)
    planned = explained(day, plan_by_solver(without(day, before), Effort(iterations=60)), before)
    found = {each.door: each for each in planned.left_out}
    assert found[door].sentence("en") != found[door].sentence("zh")
    return found[door].reason


def with_door(day: Day, **values) -> Day:
    door = Door("x", values.pop("place", 1), values.pop("windows", (SHIFT,)), 900, values.pop("prize", 5_000), **values)
    return replace(day, doors=(*day.doors, door))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"teams": frozenset()}, Reason.NO_TEAM),
        ({"teams": frozenset({"elsewhere"})}, Reason.NO_TEAM),
        ({"windows": ()}, Reason.NO_WINDOW),
        ({"windows": ((6 * HOUR, 8 * HOUR),)}, Reason.NO_WINDOW),
        ({"windows": ((SHIFT[0], SHIFT[0]),), "place": 2}, Reason.TOO_FAR),
        ({"windows": ((SHIFT[1] - 60, SHIFT[1] + HOUR),)}, Reason.NO_WINDOW),
        ({"windows": ((SHIFT[1] - 900, SHIFT[1] + HOUR),)}, Reason.TOO_FAR),
        ({"prize": 0}, Reason.NOT_WORTH),
    ],
)
def test_each_reason_is_named(change, reason):
    assert reason_of(with_door(day_of(3, 1), **change), "x") == reason


def test_too_far_for_any_shift():
    day = Day((Team("t", 0, 0, SHIFT),), (Door("x", 1, (SHIFT,), 60, 10**6),), table([(0, 0), (4_000, 0)]))
    assert reason_of(day, "x") == Reason.TOO_FAR


def test_a_team_that_may_make_no_visit_is_not_one_without_the_skill():
    assert reason_of(with_door(day_of(3, 2, visits_max=0)), "x") == Reason.CAP_REACHED


def test_a_load_that_nobody_carries_is_not_a_way_too_far():
    assert reason_of(with_door(day_of(3, 2, capacity=5), demand=6), "x") == Reason.TOO_HEAVY


def test_a_required_visit_that_no_team_has_room_for_is_told_without_a_price():
    places = table([(0, 0), (1, 0), (2, 0)])
    doors = (Door("a", 1, (SHIFT,), 6 * HOUR, required=True), Door("b", 2, (SHIFT,), 6 * HOUR, required=True))
    day = Day((Team("t", 0, 0, SHIFT),), doors, places)
    (left,) = explained(day, plan_by_insertion(day, Effort()), {}).left_out
    assert left.reason is Reason.DAY_FULL
    assert "must be made" in left.sentence("en")
    assert "必須" in left.sentence("zh")


def test_a_cap_is_told_from_a_full_day():
    capped = day_of(6, 1, visits_max=2)
    planned = explained(capped, plan_by_solver(capped, Effort(iterations=60)), {})
    assert {each.reason for each in planned.left_out if each.prize > 2_500} <= {Reason.CAP_REACHED, Reason.NOT_WORTH}
    assert Reason.CAP_REACHED in {each.reason for each in planned.left_out}
    full = day_of(30, 1)
    reasons = {each.reason for each in explained(full, plan_by_solver(full, Effort(iterations=60)), {}).left_out}
    assert Reason.DAY_FULL in reasons
    assert Reason.CAP_REACHED not in reasons


def one_door(rest: Rest | None, windows: tuple[tuple[int, int], ...], seconds: int) -> Day:
    """A team from 8 to 16, and a door half an hour away."""
    teams = (Team("t", 0, 0, (8 * HOUR, 16 * HOUR), 15, rest),)
    return Day(teams, (Door("x", 1, windows, seconds, 5_000),), [[0, 1800], [1800, 0]])


LUNCH, LATE = Rest(41_400, 43_200, 1_800), Rest(55_000, 57_600, 1_800)


@pytest.mark.parametrize(
    ("rest", "windows", "seconds", "reason"),
    [
        (LUNCH, ((36_000, 57_600),), 14_400, Reason.NO_REST),
        (None, ((36_000, 57_600),), 14_400, None),
        (LATE, ((39_900, 40_800),), 600, None),  # at home, after the return
        (LATE, ((39_900, 40_800),), 15_000, Reason.NO_REST),
        (LUNCH, ((28_800, 29_000),), 600, Reason.TOO_FAR),
        (LUNCH, ((36_000, 57_600),), 8 * HOUR, Reason.NO_WINDOW),
    ],
)
def test_a_rest_that_has_no_room_is_named(rest, windows, seconds, reason):
    day = one_door(rest, windows, seconds)
    before = impossible(day)
    assert {each.reason for each in before.values()} == ({reason} if reason else set())
    for solve in (plan_by_insertion, lambda day, effort: plan_by_solver(day, Effort(iterations=60))):
        planned = explained(day, solve(without(day, before), Effort()), before)
        assert errors_of(day, planned.plan) == []
        assert bool(planned.plan.routes) == (reason is None)


def test_a_rest_at_home_is_within_the_shift():
    day = one_door(LATE, ((39_900, 40_800),), 600)
    [route] = plan_by_insertion(day, Effort()).routes
    assert (route.back, route.rest) == (42_300, (55_000, 56_800))
    late = replace(route, rest=(56_000, 57_800))
    assert any("shift" in error for error in errors_of(day, Plan((late,), (), route.travel, 0)))
    early = replace(route, rest=(42_000, 43_800))
    assert any("rests while" in error for error in errors_of(day, Plan((early,), (), route.travel, 0)))


def test_a_full_day_is_not_told_as_a_rest_without_room():
    """The route is full but for the hour in which the team rests: alone, the visit would fit."""
    rest = Rest(12 * HOUR, 13 * HOUR, HOUR)
    doors = (
        Door("a", 0, ((9 * HOUR, 9 * HOUR),), 3 * HOUR, 9_000),
        Door("b", 0, ((13 * HOUR, 13 * HOUR),), 3 * HOUR, 9_000),
        Door("x", 0, ((9 * HOUR, 16 * HOUR),), HOUR, 1_000),
    )
    day = Day((Team("t", 0, 0, (9 * HOUR, 16 * HOUR), 15, rest),), doors, [[0]])
    (left,) = explained(day, plan_by_insertion(day, Effort()), {}).left_out
    assert (left.door, left.reason) == ("x", Reason.DAY_FULL)
