"""The checker: reads a plan as a stranger would and holds every stop to the day, by itself. It shares no code with what
made the plan, so that an error there cannot hide here; what it rejects is not published.
"""

from collections import Counter
from collections.abc import Iterator

from services.visits.routing.day import Day, Door, Plan, Route, Team


def errors_of(day: Day, plan: Plan) -> list[str]:
    """Everything that is wrong with a plan, in words; an empty list is a plan that may be published."""
    return list(_errors(day, plan))


def _errors(day: Day, plan: Plan) -> Iterator[str]:
    teams = {team.id: team for team in day.teams}
    doors = {door.id: door for door in day.doors}
    for route in plan.routes:
        if route.team not in teams:
            yield f"team {route.team} is not of this day"
            continue
        unknown = [stop.door for stop in route.stops if stop.door not in doors]
        yield from (f"team {route.team}: visit {door} is not of this day" for door in unknown)
        if not unknown:
            yield from (
                f"team {route.team}: {error}" for error in _errors_of_route(day, teams[route.team], route, doors)
            )
    yield from _errors_of_lists(doors, plan)
    yield from _errors_of_sums(doors, plan)


def _errors_of_route(day: Day, team: Team, route: Route, doors: dict[str, Door]) -> Iterator[str]:
    over = max(route.back, route.rest[1] if route.rest else route.back)
    if route.leaves < team.shift[0] or over > team.shift[1]:
        yield "is out beyond its shift"
    if team.visits_max is not None and len(route.stops) > team.visits_max:
        yield f"has {len(route.stops)} visits; its cap is {team.visits_max}"
    if team.capacity is not None and sum(doors[stop.door].demand for stop in route.stops) > team.capacity:
        yield "carries more than it can"
    for stop in route.stops:
        door = doors[stop.door]
        if door.teams is not None and team.id not in door.teams:
            yield f"may not make visit {door.id} (skill, certificate or pin)"
        if not any(opens <= stop.start <= closes for opens, closes in door.windows):
            yield f"visit {door.id} begins outside its windows"
        if stop.end - stop.start != door.seconds or stop.start < stop.arrival:
            yield f"visit {door.id} does not take the time that it needs"
    yield from _errors_of_movement(day, team, route, doors)
    yield from _errors_of_rest(team, route)


def _errors_of_movement(day: Day, team: Team, route: Route, doors: dict[str, Door]) -> Iterator[str]:
    """Between two doors there is time for the way, and for the rest where it lies between them."""
    place, free, driven = team.start, route.leaves, 0
    resting = route.rest
    for name, at, arrival, leaves in (
        *((f"visit {stop.door}", doors[stop.door].place, stop.arrival, stop.end) for stop in route.stops),
        ("the end", team.end, route.back, route.back),
    ):
        way = day.travel[place][at]
        needed = way
        if resting is not None and free <= resting[0] and resting[1] <= arrival:
            needed = (resting[0] - free) + (resting[1] - resting[0]) + way
            resting = None
        if arrival - free < needed:
            yield f"reaches {name} sooner than the way allows"
        place, free, driven = at, leaves, driven + way
    if resting is not None and resting[0] < route.back:
        yield "rests while it is under way or at a door"
    if route.stops and driven != route.travel:
        yield f"is {driven} s under way, the plan says {route.travel}"


def _errors_of_rest(team: Team, route: Route) -> Iterator[str]:
    if team.rest is None or not route.stops:
        return
    if route.rest is None:
        yield "has no rest"
        return
    begins, ends = route.rest
    if ends - begins < team.rest.seconds or begins < team.rest.earliest or ends > team.rest.latest:
        yield "rests too shortly, too early or too late"


def _errors_of_lists(doors: dict[str, Door], plan: Plan) -> Iterator[str]:
    """Every visit is on one route once, or left out; a required one is on a route."""
    planned = Counter(stop.door for route in plan.routes for stop in route.stops)
    teams = Counter(route.team for route in plan.routes)
    yield from (f"team {team} has {count} routes" for team, count in teams.items() if count > 1)
    yield from (f"visit {door} is made {count} times" for door, count in planned.items() if count > 1)
    left_out = Counter(plan.left_out)
    for door in doors.values():
        if planned[door.id] and left_out[door.id]:
            yield f"visit {door.id} is both planned and left out"
        if not planned[door.id] and left_out[door.id] != 1:
            yield f"visit {door.id} is neither planned nor left out once"
        if door.required and not planned[door.id]:
            yield f"visit {door.id} must be made and is not"
    yield from (f"visit {door} is left out but not of this day" for door in left_out if door not in doors)


def _errors_of_sums(doors: dict[str, Door], plan: Plan) -> Iterator[str]:
    travel = sum(route.travel for route in plan.routes)
    lost = sum(doors[door].prize for door in plan.left_out if door in doors)
    if travel != plan.travel or lost != plan.prizes_lost:
        yield f"the plan adds up to {travel} + {lost} s, it says {plan.travel} + {plan.prizes_lost}"
