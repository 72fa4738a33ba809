"""Days from files: the field form of this project (JSON) and the VRPTW forms of the literature (CVRPLIB, Solomon).
A file is refused with its place and a reason; nothing of it is guessed.
"""

import re
from dataclasses import dataclass
from math import isfinite, isqrt
from operator import index
from pathlib import Path
from typing import Annotated, Any

import vrplib
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from services.visits.routing.day import DOORS_MAX, Day, DayInvalid, Door, Rest, Team, check_counts

SCALE = 10
"""Distances of VRPTW files are in tenths, cut off: the convention of the DIMACS challenge."""
FIELD_BYTES_MAX = 64 * 1024 * 1024
"""Room for the ways between as many visits as fit a plan, four million of them."""
VRPTW_BYTES_MAX = 1024 * 1024
"""Room for as many clients as fit a plan, hundreds of bytes each."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")

Seconds = Annotated[int, Field(ge=0, le=10**9)]
PlaceIndex = Annotated[int, Field(ge=0)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


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
    locs: list[tuple[Latitude, Longitude]] = []
    M: list[list[Seconds]]
    teams: list[_Team]
    visits: list[_Visit]


def read_field(path: Path) -> Instance:
    """A day of field visits from JSON. Raises DayInvalid with the field that is wrong, OSError."""
    try:
        document = from_json(_bytes_of(path, FIELD_BYTES_MAX), allow_inf_nan=False)
    except ValueError as error:
        raise DayInvalid("file", path.name, f"This is no JSON document in UTF-8: {error}.") from error
    if not isinstance(document, dict):
        raise DayInvalid("file", path.name, "The file must hold a JSON object with teams, visits, M and perhaps locs.")
    if isinstance(document.get("visits"), list) and isinstance(document.get("teams"), list):
        check_counts(visits=len(document["visits"]), teams=len(document["teams"]))
    try:
        found = _Field.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise DayInvalid("file", ".".join(str(part) for part in first["loc"]), f"{first['msg']}.") from error
    if any(len(row) != len(found.M) for row in found.M):
        raise DayInvalid("file", "M", "The table of travel times is not square.")
    if found.locs and len(found.locs) != len(found.M):
        raise DayInvalid(
            "file", "locs", f"{len(found.locs)} positions, but {len(found.M)} places in M: give all or none."
        )
    day = Day(
        tuple(each.team() for each in found.teams), tuple(each.door(found.teams) for each in found.visits), found.M
    )
    return Instance(found.name, day, positions=tuple(found.locs))


def _bytes_of(path: Path, most: int) -> bytes:
    if path.stat().st_size > most:
        raise DayInvalid(
            "too-many",
            path.name,
            f"The file holds more than {most // 2**20} MiB, more than one plan of {DOORS_MAX} visits needs: "
            "split the area, each part with its own teams.",
        )
    return path.read_bytes()


def read_vrptw(path: Path) -> Instance:
    """A VRPTW instance: every client must be visited. The best known cost comes from a `.sol` file beside it. Raises
    DayInvalid with the line that is wrong, OSError."""
    text = _bytes_of(path, VRPTW_BYTES_MAX).decode(errors="replace")
    form = "vrplib" if "NODE_COORD_SECTION" in text else "solomon"
    _check_rows(text)
    try:
        found = vrplib.read_instance(path, instance_format=form, compute_edge_weights=False)
        instance = _vrptw(found)
    except DayInvalid:
        raise
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        raise DayInvalid("file", path.name, "This is no VRPTW file in the form of CVRPLIB or of Solomon.") from error
    return Instance(str(found["name"]), instance, SCALE, _best_known(path.with_suffix(".sol")), _positions(found))


def _check_rows(text: str) -> None:
    """Hold every row of figures to whole numbers, as both forms have them: vrplib would read any other word as -1."""
    in_figures = False
    for number, line in enumerate(text.splitlines(), 1):
        if "_SECTION" in line or "XCOORD" in line:
            in_figures = True
        elif in_figures and "EOF" not in line:
            for word in line.split():
                if not _WHOLE.fullmatch(word):
                    raise DayInvalid("file", f"line {number}", f"“{word}” must be a whole number of up to nine digits.")


def _best_known(path: Path) -> float | None:
    """The cost that a solution file tells, where there is one and it does."""
    try:
        cost = float(vrplib.read_solution(path)["cost"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return cost if isfinite(cost) and cost > 0 else None


def _positions(found: dict[str, Any]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in found["node_coord"])


def _vrptw(found: dict[str, Any]) -> Day:
    vehicles = index(found.get("vehicles", len(found["node_coord"]) - 1))
    check_counts(visits=len(found["node_coord"]) - 1, teams=vehicles)
    places = [(int(x), int(y)) for x, y in found["node_coord"]]
    travel = [[_tenths(ax - bx, ay - by) for bx, by in places] for ax, ay in places]
    windows = [(int(opens) * SCALE, int(closes) * SCALE) for opens, closes in found["time_window"]]
    service, demand = found["service_time"], found["demand"]
    capacity = index(found["capacity"])
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
    return index(value[client]) if hasattr(value, "__len__") else index(value)
