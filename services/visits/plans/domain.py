"""Routes for a day: nearest neighbour within lawful windows. Every door that is left out has a reason.

Sorted input and no randomness: the same cases and teams give the same plan.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.visits.distance import Position, beeline_metres

Window = tuple[datetime, datetime]

STREETS_PER_BEELINE = 1.35
METRES_PER_SECOND = 20_000 / 3_600
CAP_REACHED, TOO_FAR, NO_POSITION = "cap-reached", "too-far", "no-position"


@dataclass(frozen=True, slots=True)
class Door:
    """A case that may be visited: when, where (degrees), and how much is at stake (minor units)."""

    case_id: UUID
    position: Position
    windows: tuple[Window, ...]
    stake_minor: int


@dataclass(frozen=True, slots=True)
class Stop:
    case_id: UUID
    start: datetime
    end: datetime
    position: Position


@dataclass(slots=True)
class Route:
    """A team's day so far."""

    team_id: UUID
    at: Position
    free_from: datetime
    stops: list[Stop] = field(default_factory=list)
    metres: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    shift_end: datetime
    visits_per_team_max: int
    visit: timedelta


def metres_between(a: Position, b: Position) -> float:
    """Street metres: the beeline, times 1.35."""
    return beeline_metres(a, b) * STREETS_PER_BEELINE


def middle(positions: Sequence[Position]) -> Position:
    """The mean position: where teams start if no depot is named."""
    return (
        sum(position[0] for position in positions) / len(positions),
        sum(position[1] for position in positions) / len(positions),
    )


def plan_routes(
    doors: Sequence[Door], team_ids: Sequence[UUID], *, depot: Position, start: datetime, limits: Limits
) -> tuple[list[Route], dict[UUID, str]]:
    """Teams take turns; each goes to the nearest door that it can still visit lawfully within its shift."""
    routes = [Route(team_id, depot, start) for team_id in team_ids]
    open_doors = {door.case_id: door for door in doors}
    active = list(routes)
    while active and open_doors:
        for route in list(active):
            stop = _nearest(route, open_doors, limits) if len(route.stops) < limits.visits_per_team_max else None
            if stop is None:
                active.remove(route)
                continue
            route.metres += metres_between(route.at, stop.position)
            route.at, route.free_from = stop.position, stop.end
            route.stops.append(stop)
            del open_doors[stop.case_id]
    for route in routes:
        route.metres += metres_between(route.at, depot) if route.stops else 0.0
    full = all(len(route.stops) >= limits.visits_per_team_max for route in routes)
    return routes, dict.fromkeys(open_doors, CAP_REACHED if full else TOO_FAR)


def _nearest(route: Route, doors: dict[UUID, Door], limits: Limits) -> Stop | None:
    ranked = sorted(doors.values(), key=lambda door: (metres_between(route.at, door.position), door.case_id))
    for door in ranked:
        travel = timedelta(seconds=round(metres_between(route.at, door.position) / METRES_PER_SECOND))
        stop = _fit(door, route.free_from + travel, limits)
        if stop is not None:
            return stop
    return None


def _fit(door: Door, arrival: datetime, limits: Limits) -> Stop | None:
    """The first lawful time at a door from an arrival on, if the visit ends within window and shift."""
    for opens, closes in door.windows:
        start = max(arrival, opens)
        if start + limits.visit <= min(closes, limits.shift_end):
            return Stop(door.case_id, start, start + limits.visit, door.position)
    return None


def counted(left_out: dict[UUID, str]) -> dict[str, int]:
    return dict(sorted(Counter(left_out.values()).items()))
