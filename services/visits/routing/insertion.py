"""Cheapest insertion: puts doors where they cost the least detour, and takes off what does not fit. It makes plans by
itself where no solver is at hand, and mends what a solver made without knowing of rests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.visits.routing.day import MONEY_SECONDS_MAX, Day, Door, Effort, Plan, Team
from services.visits.routing.timetable import is_possible, route_of, sequences, travel_of

Sequences = dict[str, list[Door]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a door could go: a team, a position in its route, and the detour in seconds."""

    detour: int
    team: Team
    at: int


def plan_by_insertion(day: Day, effort: Effort) -> Plan:
    """A plain plan: the doors that are worth the most an hour first, each where it costs least."""
    routes = sequences(day, effort.warm_start)
    mend(day, routes)
    return plan_of(day, routes, "insertion")


def mend(day: Day, routes: Sequences) -> None:
    """Make every route possible by taking off what matters least, then put back whatever is worth its detour."""
    for team in day.teams:
        while routes[team.id] and not is_possible(day, team, routes[team.id]):
            routes[team.id].pop(_least_missed(day, team, routes[team.id]))
    on_routes = {door.id for doors in routes.values() for door in doors}
    insert_all(day, routes, [door for door in day.doors if door.id not in on_routes])


def insert_all(day: Day, routes: Sequences, doors: Iterable[Door]) -> None:
    """Put doors into routes, the weightiest first, each only if the way costs less than it brings; for one that
    outranks all money a lighter one makes room."""
    for door in sorted(doors, key=lambda door: (not door.required, -door.prize / (door.seconds + 600), door.id)):
        if not _insert(day, routes, door) and door.prize > MONEY_SECONDS_MAX:
            lighter = _exchange(day, routes, door)
            if lighter is not None:
                _insert(day, routes, lighter)


def _insert(day: Day, routes: Sequences, door: Door) -> bool:
    place = cheapest(day, routes, door)
    if place is None or not (door.required or place.detour < door.prize):
        return False
    routes[place.team.id].insert(place.at, door)
    return True


def _exchange(day: Day, routes: Sequences, door: Door) -> Door | None:
    """Put a door in the stead of a lighter one, where that gains most. Returns the lighter one, or None."""
    best: tuple[int, Place, Door] | None = None
    for team in day.teams:
        alone, doors = replace(day, teams=(team,)), routes[team.id]
        for other in doors if door.open_to(team) else ():
            others = [each for each in doors if each is not other]
            place = None if other.required or other.prize >= door.prize else cheapest(alone, {team.id: others}, door)
            if place is None:
                continue
            saved = travel_of(day, team, doors) - travel_of(day, team, others)
            gain = door.prize - other.prize + saved - place.detour
            if gain > 0 and (best is None or gain > best[0]):
                best = gain, place, other
    if best is None:
        return None
    _, place, lighter = best
    routes[place.team.id].remove(lighter)
    routes[place.team.id].insert(place.at, door)
    return lighter


def cheapest(day: Day, routes: Mapping[str, Sequence[Door]], door: Door) -> Place | None:
    """The possible place with the least detour, or None where no team can take the door in."""
    places = [
        Place(detour_at(day, team, routes[team.id], at, door), team, at)
        for team in day.teams
        if door.open_to(team)
        for at in range(len(routes[team.id]) + 1)
    ]
    for place in sorted(places, key=lambda place: (place.detour, place.team.id, place.at)):
        doors = routes[place.team.id]
        if is_possible(day, place.team, [*doors[: place.at], door, *doors[place.at :]]):
            return place
    return None


def detour_at(day: Day, team: Team, doors: Sequence[Door], at: int, door: Door) -> int:
    """Seconds of travel that the door adds at a position of a team's route."""
    before = doors[at - 1].place if at else team.start
    after = doors[at].place if at < len(doors) else team.end
    direct = day.travel[before][after] if doors else 0
    return day.travel[before][door.place] + day.travel[door.place][after] - direct


def plan_of(day: Day, routes: Mapping[str, Sequence[Door]], solver: str) -> Plan:
    """The plan of routes that are all possible. Raises ValueError for one that is not."""
    made = []
    for team in sorted(day.teams, key=lambda team: (len(team.id), team.id)):
        doors = routes[team.id]
        route = route_of(day, team, doors)
        if route is None:
            raise ValueError(f"the route of team {team.id} cannot be kept")
        if doors:
            made.append(route)
    on_routes = {door.id for doors in routes.values() for door in doors}
    missed = sorted((door for door in day.doors if door.id not in on_routes), key=lambda door: door.id)
    return Plan(
        routes=tuple(made),
        left_out=tuple(door.id for door in missed),
        travel=sum(route.travel for route in made),
        prizes_lost=sum(door.prize for door in missed),
        solver=solver,
    )


def _least_missed(day: Day, team: Team, doors: Sequence[Door]) -> int:
    """Which door to take off: one that makes the rest possible if any does, of these the least loss."""
    whole = travel_of(day, team, doors)

    def loss(at: int) -> tuple[bool, bool, int, str]:
        others = [*doors[:at], *doors[at + 1 :]]
        saved = whole - travel_of(day, team, others)
        return not is_possible(day, team, others), doors[at].required, doors[at].prize - saved, doors[at].id

    return min(range(len(doors)), key=loss)
