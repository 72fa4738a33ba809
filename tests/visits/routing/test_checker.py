"""The checker is checked: each kind of error, planted in a good plan, is found."""

from dataclasses import replace

import pytest

from services.visits.routing.checker import errors_of
from services.visits.routing.day import Day, Effort, Plan, Rest, Stop
from services.visits.routing.insertion import plan_by_insertion
from tests.visits.routing.days import HOUR, day_of

LUNCH = Rest(11 * HOUR, 14 * HOUR, 2_700)


@pytest.fixture(scope="module")
def day() -> Day:
    return day_of(14, 2, rest=LUNCH, visits_max=6)


@pytest.fixture(scope="module")
def good(day: Day) -> Plan:
    plan = plan_by_insertion(day, Effort())
    assert errors_of(day, plan) == []
    assert all(len(route.stops) >= 4 for route in plan.routes)
    assert len(plan.routes) == 2
    return plan


def changed(plan: Plan, route: int, **values) -> Plan:
    routes = list(plan.routes)
    routes[route] = replace(routes[route], **values)
    return replace(plan, routes=tuple(routes))


def moved(plan: Plan, at: int, seconds: int) -> Plan:
    stops = list(plan.routes[0].stops)
    stop = stops[at]
    stops[at] = Stop(stop.door, stop.arrival + seconds, stop.start + seconds, stop.end + seconds)
    return changed(plan, 0, stops=tuple(stops))


def doors(day: Day, door: str, **values) -> Day:
    return replace(day, doors=tuple(replace(each, **values) if each.id == door else each for each in day.doors))


def teams(day: Day, **values) -> Day:
    return replace(day, teams=tuple(replace(team, **values) for team in day.teams))


def second(plan: Plan) -> str:
    return plan.routes[0].stops[1].door


PLANTED = {
    "a window missed": (
        lambda d, p: (doors(d, second(p), windows=((0, 60),)), p),
        "outside its windows",
    ),
    "a visit cut short": (
        lambda d, p: (doors(d, second(p), seconds=7_200), p),
        "the time that it needs",
    ),
    "a skill lacking": (lambda d, p: (doors(d, p.routes[0].stops[0].door, teams=frozenset()), p), "may not make"),
    "too many visits": (lambda d, p: (teams(d, visits_max=2), p), "its cap is 2"),
    "beyond the shift": (lambda d, p: (teams(d, shift=(9 * HOUR, 12 * HOUR)), p), "beyond its shift"),
    "before the shift": (lambda d, p: (d, changed(p, 0, leaves=0)), "beyond its shift"),
    "faster than the way": (lambda d, p: (d, moved(p, 2, -300)), "sooner than the way allows"),
    "no rest": (lambda d, p: (d, changed(p, 0, rest=None)), "has no rest"),
    "a rest too late": (lambda d, p: (d, changed(p, 0, rest=(17 * HOUR, 17 * HOUR + 2_700))), "rests"),
    "a rest too short": (
        lambda d, p: (d, changed(p, 0, rest=(12 * HOUR, 12 * HOUR + 60))),
        "rests",
    ),
    "a rest at a door": (
        lambda d, p: (teams(d, rest=Rest(0, 24 * HOUR, 60)), changed(p, 0, rest=_within(p.routes[0].stops[0]))),
        "under way or at a door",
    ),
    "a visit twice": (lambda d, p: (d, changed(p, 1, stops=p.routes[0].stops)), "is made 2 times"),
    "a visit lost": (lambda d, p: (d, changed(p, 0, stops=p.routes[0].stops[:-1])), "neither planned nor left out"),
    "planned and left out": (
        lambda d, p: (d, replace(p, left_out=(*p.left_out, p.routes[0].stops[0].door))),
        "both planned and left out",
    ),
    "a required visit left out": (
        lambda d, p: (doors(d, p.routes[0].stops[-1].door, required=True), _without_last(p)),
        "must be made",
    ),
    "an unknown visit": (lambda d, p: (replace(d, doors=d.doors[1:]), p), "is not of this day"),
    "an unknown team": (lambda d, p: (d, changed(p, 0, team="nobody")), "is not of this day"),
    "a team twice": (lambda d, p: (d, changed(p, 1, team=p.routes[0].team)), "has 2 routes"),
    "more than it carries": (
        lambda d, p: (replace(teams(d, capacity=1), doors=tuple(replace(x, demand=1) for x in d.doors)), p),
        "carries more",
    ),
    "a wrong sum": (lambda d, p: (d, replace(p, travel=p.travel - 1)), "adds up to"),
    "a wrong way": (lambda d, p: (d, changed(p, 0, travel=1)), "under way, the plan says 1"),
}


def _within(stop: Stop) -> tuple[int, int]:
    return stop.start + 10, stop.start + 70


def _without_last(plan: Plan) -> Plan:
    last = plan.routes[0].stops[-1].door
    return replace(changed(plan, 0, stops=plan.routes[0].stops[:-1]), left_out=(*plan.left_out, last))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found(day, good, name):
    plant, words = PLANTED[name]
    errors = errors_of(*plant(day, good))
    assert any(words in error for error in errors), errors
