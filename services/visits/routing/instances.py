"""Days from files: the field form of this project (JSON) and the VRPTW forms of the literature (CVRPLIB, Solomon).
A file is refused with its place and a reason; nothing of it is guessed.
"""

import json
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Annotated, Any

import vrplib
from pydantic import BaseModel, Field, ValidationError

from services.visits.routing.day import Day, DayInvalid, Door, Rest, Team

SCALE = 10
"""Distances of VRPTW files are in tenths, cut off: the convention of the DIMACS challenge."""

Seconds = Annotated[int, Field(ge=0, le=10**9)]
PlaceIndex = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Instance:
    """A day with its name, what a unit of cost is worth in the file's own, and the best known cost where one is."""

    name: str
    day: Day
    scale: int = 1
    best_known: float | None = None
    positions: tuple[tuple[float, float], ...] = ()


class _Team(BaseModel):
    id: int | str
    start: PlaceIndex
    end: PlaceIndex
    tw: tuple[Seconds, Seconds]
    brk: tuple[Seconds, Seconds, Seconds] | None = None
    skills: list[int | str] = []
    max_tasks: Annotated[int, Field(ge=0)] | None = None

    def team(self) -> Team:
        rest = Rest(*self.brk) if self.brk else None
        return Team(str(self.id), self.start, self.end, self.tw, self.max_tasks, rest)


class _Visit(BaseModel):
    id: int | str
    loc: PlaceIndex
    tw: tuple[Seconds, Seconds]
    service: Seconds
    prize: Seconds = 0
    required: bool = False
    skills: list[int | str] = []
    allowed: list[int | str] | None = None

    def door(self, teams: list[_Team]) -> Door:
        if self.allowed is None:
            able = [team.id for team in teams if set(self.skills) <= set(team.skills)]
        else:
            able = list(self.allowed)
        everybody = {team.id for team in teams} <= set(able)
        allowed = None if everybody else frozenset(str(team) for team in able)
        return Door(str(self.id), self.loc, (self.tw,), self.service, self.prize, self.required, allowed)


class _Field(BaseModel):
    """A day of field visits: `locs` are positions (degrees), `M` seconds between them."""

    name: str = "day"
    locs: list[tuple[float, float]] = []
    M: list[list[Seconds]]
    teams: list[_Team]
    visits: list[_Visit]


def read_field(path: Path) -> Instance:
    """A day of field visits from JSON. Raises DayInvalid with the field that is wrong, OSError."""
    try:
        found = _Field.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise DayInvalid("file", ".".join(str(part) for part in first["loc"]), f"{first['msg']}.") from error
    except ValueError as error:
        raise DayInvalid("file", path.name, "This is no JSON document in UTF-8.") from error
    if any(len(row) != len(found.M) for row in found.M):
        raise DayInvalid("file", "M", "The table of travel times is not square.")
    day = Day(
        tuple(each.team() for each in found.teams), tuple(each.door(found.teams) for each in found.visits), found.M
    )
    return Instance(found.name, day, positions=tuple(found.locs))


def read_vrptw(path: Path) -> Instance:
    """A VRPTW instance: every client must be visited. The best known cost comes from a `.sol` file beside it."""
    form = "vrplib" if "NODE_COORD_SECTION" in path.read_text(encoding="utf-8", errors="replace") else "solomon"
    try:
        found = vrplib.read_instance(path, instance_format=form, compute_edge_weights=False)
        instance = _vrptw(found)
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        raise DayInvalid("file", path.name, "This is no VRPTW file in the form of CVRPLIB or of Solomon.") from error
    solution = path.with_suffix(".sol")
    best = float(vrplib.read_solution(solution)["cost"]) if solution.is_file() else None
    return Instance(str(found["name"]), instance, SCALE, best, _positions(found))


def _positions(found: dict[str, Any]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in found["node_coord"])


def _vrptw(found: dict[str, Any]) -> Day:
    places = [(int(x), int(y)) for x, y in found["node_coord"]]
    travel = [[_tenths(ax - bx, ay - by) for bx, by in places] for ax, ay in places]
    windows = [(int(opens) * SCALE, int(closes) * SCALE) for opens, closes in found["time_window"]]
    service, demand = found["service_time"], found["demand"]
    vehicles = int(found.get("vehicles", len(places) - 1))
    capacity = int(found["capacity"])
    doors = [
        Door(
            str(client),
            client,
            (windows[client],),
            _each(service, client) * SCALE,
            required=True,
            demand=int(demand[client]),
        )
        for client in range(1, len(places))
    ]
    teams = [Team(str(number + 1), 0, 0, windows[0], capacity=capacity) for number in range(vehicles)]
    return Day(tuple(teams), tuple(doors), travel)


def _tenths(x: int, y: int) -> int:
    """Euclidean distance in tenths, cut off; in integers, since a root in floats may fall just short."""
    return isqrt(SCALE * SCALE * (x * x + y * y))


def _each(value: Any, client: int) -> int:
    """A value for all clients, or one for each."""
    return int(value[client]) if hasattr(value, "__len__") else int(value)
