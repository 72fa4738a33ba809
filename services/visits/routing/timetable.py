"""When a team is where: the earliest timetable of a sequence of doors, with the rest where it costs least time.
It never bends a rule: a sequence that cannot be kept has no timetable.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from services.visits.routing.day import Day, Door, Route, Stop, Team


def travel_of(day: Day, team: Team, doors: Sequence[Door]) -> int:
    """Seconds under way from the team's start over the doors to its end. A team that visits nobody stays."""
    if not doors:
        return 0
    places = [team.start, *(door.place for door in doors), team.end]
    return sum(day.travel[a][b] for a, b in pairwise(places))


def route_of(day: Day, team: Team, doors: Sequence[Door]) -> Route | None:
    """The team's route over these doors in this order, or None where a window, the rest or the shift forbids it."""
    if not doors:
        return Route(team.id, (), team.shift[0], team.shift[0], 0)
    for rest_before in _places_of_rest(team, doors):
        found = _timed(day, team, doors, rest_before)
        if found is not None:
            return found
    return None


def late_at(day: Day, team: Team, doors: Sequence[Door]) -> tuple[Door, int] | None:
    """The first door of a sequence that the team, which takes no rest, reaches when its last window has closed, and
    when it reaches it; None where it reaches each in time."""
    now, place = team.shift[0], team.start
    for door in doors:
        now += day.travel[place][door.place]
        start = _start_in(door, now)
        if start is None:
            return door, now
        now, place = start + door.seconds, door.place
    return None


def is_possible(day: Day, team: Team, doors: Sequence[Door]) -> bool:
    """Whether the team can make these visits in this order: windows, rest, shift, number and load."""
    if team.visits_max is not None and len(doors) > team.visits_max:
        return False
    if team.capacity is not None and sum(door.demand for door in doors) > team.capacity:
        return False
    if not all(door.open_to(team) for door in doors):
        return False
    return route_of(day, team, doors) is not None


def _places_of_rest(team: Team, doors: Sequence[Door]) -> Sequence[int | None]:
    """Before which door a rest may be tried: in the middle of the day first, where it usually fits. One more than the
    doors: at the end place, after the return, which is tried last."""
    if team.rest is None:
        return [None]
    middle = len(doors) / 2
    return [*sorted(range(len(doors) + 1), key=lambda at: (abs(at - middle), at)), len(doors) + 1]


def _timed(day: Day, team: Team, doors: Sequence[Door], rest_before: int | None) -> Route | None:
    """The earliest timetable that rests after the door before `rest_before`, if there is one."""
    now, place, rest, stops = team.shift[0], team.start, None, []
    for at, door in enumerate(doors):
        if at == rest_before:
            rest = _rest_from(team, now)
            if rest is None:
                return None
            now = rest[1]
        now += day.travel[place][door.place]
        start = _start_in(door, now)
        if start is None:
            return None
        stops.append(Stop(door.id, now, start, start + door.seconds))
        now, place = start + door.seconds, door.place
    if rest_before == len(doors):
        rest = _rest_from(team, now)
        if rest is None:
            return None
        now = rest[1]
    back = now + day.travel[place][team.end]
    if rest_before == len(doors) + 1:
        rest = _rest_from(team, back)
        if rest is None:
            return None
    if max(back, rest[1] if rest else back) > team.shift[1]:
        return None
    return Route(team.id, tuple(stops), team.shift[0], back, travel_of(day, team, doors), rest)


def _rest_from(team: Team, now: int) -> tuple[int, int] | None:
    rest = team.rest
    if rest is None:
        return None
    start = max(now, rest.earliest)
    return (start, start + rest.seconds) if start + rest.seconds <= rest.latest else None


def _start_in(door: Door, arrival: int) -> int | None:
    """When the visit can begin: at once, or when the next window opens."""
    for opens, closes in sorted(door.windows):
        if arrival <= closes:
            return max(arrival, opens)
    return None


def sequences(day: Day, doors_by_team: Mapping[str, Sequence[str]]) -> dict[str, list[Door]]:
    """Ids turned into doors; ids that the day does not hold are dropped."""
    known = {door.id: door for door in day.doors}
    return {team.id: [known[i] for i in doors_by_team.get(team.id, ()) if i in known] for team in day.teams}
