"""Whatever the day, no plan breaks a rule of it; and the same day gives the same plan, in whatever order it is told."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.visits.routing import solver
from services.visits.routing.checker import errors_of
from services.visits.routing.day import Day, Door, Effort, Rest, Team
from services.visits.routing.insertion import plan_by_insertion
from services.visits.routing.reasons import explained, impossible, without
from services.visits.routing.solver import plan_by_solver
from tests.searches import search
from tests.visits.routing.days import HOUR, SHIFT, day_of, days, table

QUICK = Effort(iterations=40, seed=7)
LUNCH = Rest(11 * HOUR + HOUR // 2, 14 * HOUR, 2_700)


def plan(day: Day, effort: Effort = QUICK):
    before = impossible(day)
    return explained(day, plan_by_solver(without(day, before), effort), before)


def stops_of(planned, team: str) -> list[str]:
    return [stop.door for route in planned.plan.routes if route.team == team for stop in route.stops]


@search(25, 1500)
@given(day=days())
def test_no_plan_breaks_a_window_a_skill_a_cap_a_rest_or_a_shift(day):
    planned = plan(day)
    assert errors_of(day, planned.plan) == []
    assert [each.door for each in planned.left_out] == list(planned.plan.left_out)


@search(25, 1000)
@given(day=days())
def test_plain_insertion_keeps_the_same_rules(day):
    assert errors_of(day, plan_by_insertion(day, QUICK)) == []


@search(25, 400)
@given(day=days(), dice=st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(day, dice):
    teams, doors = list(day.teams), list(day.doors)
    dice.shuffle(teams)
    dice.shuffle(doors)
    assert plan(replace(day, teams=tuple(teams), doors=tuple(doors))) == plan(day)


def test_a_busy_day_is_the_same_from_the_same_seed_and_order_does_not_matter():
    day = day_of(60, 5, rest=LUNCH, visits_max=9)
    doors = list(day.doors)
    random.Random(3).shuffle(doors)
    first, second = plan(day), plan(replace(day, doors=tuple(doors), teams=day.teams[::-1]))
    assert first == second
    assert sum(len(route.stops) for route in first.plan.routes) > 30


def test_a_pinned_visit_goes_to_its_team_at_its_time():
    day = day_of(10, 3)
    pinned = replace(day.doors[4], teams=frozenset({"t2"}), windows=((14 * HOUR, 14 * HOUR),), prize=10**6)
    planned = plan(replace(day, doors=(*day.doors[:4], pinned, *day.doors[5:])))
    starts = {stop.door: stop.start for route in planned.plan.routes for stop in route.stops if route.team == "t2"}
    assert starts[pinned.id] == 14 * HOUR


def test_of_several_windows_one_is_used():
    day = day_of(6, 1)
    windows = ((SHIFT[0], 9 * HOUR + 60), (16 * HOUR, 17 * HOUR))
    day = replace(day, doors=tuple(replace(door, windows=windows) for door in day.doors))
    planned = plan(day)
    assert errors_of(day, planned.plan) == []
    assert len(stops_of(planned, "t0")) >= 3


def test_an_appointment_outranks_money():
    day = day_of(8, 1, visits_max=1)
    appointment = Door("appointment", 3, ((10 * HOUR, 11 * HOUR),), 900, prize=10 * (SHIFT[1] - SHIFT[0]))
    assert stops_of(plan(replace(day, doors=(*day.doors, appointment))), "t0") == ["appointment"]


def test_a_warm_start_is_kept_where_nothing_is_better():
    day = day_of(30, 3, rest=LUNCH)
    first = plan(day, Effort(iterations=400))
    routes = {route.team: tuple(stop.door for stop in route.stops) for route in first.plan.routes}
    again = plan(day, Effort(iterations=1, warm_start=routes))
    assert again.plan.cost <= first.plan.cost


@pytest.mark.parametrize("rest", [None, LUNCH])
@pytest.mark.parametrize("seed", range(3))
def test_visits_stay_with_their_team_when_another_falls_ill(seed, rest):
    day = day_of(40, 4, seed=seed, visits_max=10, rest=rest)
    first = plan(day, Effort(iterations=400))
    routes = {route.team: tuple(stop.door for stop in route.stops) for route in first.plan.routes}
    kept = {team: routes[team] for team in ("t1", "t2", "t3")}
    left = replace(day, teams=day.teams[1:])
    again = plan(left, Effort(iterations=200, warm_start=kept))
    assert errors_of(left, again.plan) == []
    strangers = [
        door
        for team in kept
        for door in stops_of(again, team)
        for other in kept
        if other != team and door in kept[other]
    ]
    assert len(strangers) <= 1
    assert again.plan.cost <= 1.2 * plan(left, Effort(iterations=600)).plan.cost


@pytest.mark.parametrize(("x", "team"), [(52, "west"), (90, "east")])
def test_a_visit_changes_its_team_only_where_that_pays(x, team):
    """At 52 the other team would save 80 s of travel, at 90 it saves 1,600."""
    teams = (Team("west", 0, 0, SHIFT), Team("east", 1, 1, SHIFT))
    doors = tuple(Door(f"d{place}", place, (SHIFT,), 600, prize=9_000) for place in (2, 3, 4))
    day = Day(teams, doors, table([(0, 0), (100, 0), (10, 0), (x, 0), (95, 0)]))
    again = plan(day, Effort(iterations=300, warm_start={"west": ("d2", "d3"), "east": ("d4",)}))
    assert "d3" in stops_of(again, team)
    assert again.plan.cost == sum(route.travel for route in again.plan.routes)


def test_a_day_too_large_for_a_table_of_ways_a_team_shares_them(monkeypatch):
    monkeypatch.setattr(solver, "CELLS_MAX", 3 * 31**2)
    day = day_of(30, 6, visits_max=6)
    routes = {route.team: tuple(stop.door for stop in route.stops) for route in plan(day).plan.routes}
    assert max(solver._circles(day, routes).values()) == 2
    assert errors_of(day, plan(day, replace(QUICK, warm_start=routes)).plan) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_solver_is_better_than_plain_insertion(seed):
    day = day_of(40, 3, seed=seed, rest=LUNCH)
    assert plan(day, Effort(iterations=500)).plan.cost < plan_by_insertion(day, QUICK).cost
