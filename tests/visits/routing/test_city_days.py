"""Days like those of the field, each of its own seed: whatever the town, what a plan promises must hold. Plans here are
short ones; how good they are is held to a longer run of the same day, and to insertion."""

from dataclasses import replace

import pytest

from services.visits.routing.checker import errors_of
from services.visits.routing.day import Day, Effort
from services.visits.routing.insertion import detour_at, plan_by_insertion
from services.visits.routing.reasons import Planned, Reason, explained, impossible, without
from services.visits.routing.solver import plan_by_solver
from services.visits.routing.timetable import is_possible, sequences
from tests.visits.routing.days import city_day

SEEDS = range(6)


def planned(day: Day, iterations: int) -> Planned:
    before = impossible(day)
    return explained(day, plan_by_solver(without(day, before), Effort(iterations=iterations)), before)


def day_of(seed: int) -> Day:
    """Of every second day the teams have no break, and every third has far too few of them."""
    return city_day(seed, doors=70, teams=3 if seed % 3 == 0 else 8, resting=seed % 2 == 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_stands_the_check_and_leaves_out_nothing_that_pays(seed):
    day = day_of(seed)
    found = planned(day, 300)
    assert errors_of(day, found.plan) == []
    assert {each.door for each in found.left_out} == set(found.plan.left_out)
    routes = sequences(day, {route.team: [stop.door for stop in route.stops] for route in found.plan.routes})
    doors = {door.id: door for door in day.doors}
    for left in found.left_out:
        door = doors[left.door]
        pays = [
            (team.id, at)
            for team in day.teams
            for at in range(len(routes[team.id]) + 1)
            if detour_at(day, team, routes[team.id], at, door) < door.prize
            and is_possible(day, team, [*routes[team.id][:at], door, *routes[team.id][at:]])
        ]
        assert not pays, (left, pays)
        assert left.reason is not Reason.NOT_WORTH or (left.detour or 0) >= door.prize


@pytest.mark.parametrize("seed", range(3))
def test_a_short_search_comes_near_a_long_one_and_beats_insertion(seed):
    day = day_of(seed)
    short = planned(day, 400).plan.cost
    assert short <= 1.05 * planned(day, 2_000).plan.cost
    assert short < planned_by_insertion(day)


def planned_by_insertion(day: Day) -> int:
    before = impossible(day)
    return explained(day, plan_by_insertion(without(day, before), Effort()), before).plan.cost


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_made_anew_keeps_its_pins_and_most_visits_their_team(seed):
    day = city_day(seed, doors=70, teams=8)
    first = planned(day, 300).plan
    teams = {stop.door: route.team for route in first.routes for stop in route.stops}
    starts = {stop.door: stop.start for route in first.routes for stop in route.stops}
    ill = max(first.routes, key=lambda route: (len(route.stops), route.team)).team
    promised = sorted(door for door, team in teams.items() if team != ill)[::7]
    pinned = {door: (starts[door] - 900, starts[door] + 900) for door in promised}
    again = Day(
        tuple(team for team in day.teams if team.id != ill),
        tuple(
            replace(door, windows=(pinned[door.id],), teams=frozenset({teams[door.id]}), prize=864_000)
            if door.id in pinned
            else door
            for door in day.doors
        ),
        day.travel,
    )
    warm = {route.team: tuple(stop.door for stop in route.stops) for route in first.routes if route.team != ill}
    before = impossible(again)
    new = plan_by_solver(without(again, before), Effort(iterations=200, warm_start=warm))
    assert errors_of(without(again, before), new) == []
    after = {stop.door: (route.team, stop.start) for route in new.routes for stop in route.stops}
    for door in promised:
        assert after[door][0] == teams[door]
        assert abs(after[door][1] - starts[door]) <= 900
    stayed = [door for door, team in teams.items() if team != ill and door in after]
    assert sum(after[door][0] != teams[door] for door in stayed) <= len(stayed) / 5


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_promised_outranks_money_however_full_the_day_is(seed):
    day = city_day(seed, doors=90, teams=4)
    possible = without(day, impossible(day)).doors
    promised = {door.id: sorted(door.teams)[n % len(door.teams)] for n, door in enumerate(possible[::4])}
    full = replace(
        day,
        doors=tuple(
            replace(door, prize=864_000, teams=frozenset({promised[door.id]})) if door.id in promised else door
            for door in day.doors
        ),
    )
    found = planned(full, 300)
    doors = {door.id: door for door in full.doors}
    routes = sequences(full, {route.team: [stop.door for stop in route.stops] for route in found.plan.routes})
    team = {team.id: team for team in full.teams}
    for lost in promised.keys() & set(found.plan.left_out):
        route = routes[promised[lost]]
        for lighter in (door for door in route if door.prize < 864_000):
            others = [door for door in route if door is not lighter]
            tries = ([*others[:at], doors[lost], *others[at:]] for at in range(len(others) + 1))
            assert not any(is_possible(full, team[promised[lost]], each) for each in tries), (lost, lighter.id)
