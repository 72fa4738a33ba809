"""A plan as a picture: one page that needs nothing from outside, and GeoJSON for those who have maps of their own.

A pin carries what its caller gives it and nothing else; who may see an address is decided there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.visits.routing.instances import Instance
from services.visits.routing.reasons import Planned

WIDTH, HEIGHT, MARGIN = 1_000, 700, 30
Position = tuple[float, float]

_pages = Environment(
    loader=PackageLoader("services.visits.routing"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True, slots=True)
class Pin:
    """A stop of a route, or a door left out: where (latitude, longitude in degrees), what is said of it, and whether it
    is held."""

    position: Position
    label: str
    text: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A team's route: where it leaves, its stops in order, where it ends."""

    team: str
    start: Position
    stops: tuple[Pin, ...]
    end: Position
    text: str = ""

    @property
    def points(self) -> list[Position]:
        return [self.start, *(pin.position for pin in self.stops), self.end]


@dataclass(frozen=True, slots=True)
class Picture:
    title: str
    lines: tuple[Line, ...]
    left_out: tuple[Pin, ...] = ()


def page(picture: Picture) -> str:
    """The map as an HTML page: SVG, a list of the teams to choose from, what is left out and why."""
    points = [*(point for line in picture.lines for point in line.points), *(pin.position for pin in picture.left_out)]
    place = _projection(points)
    lines = [
        {
            "team": line.team,
            "text": line.text,
            "colour": _colour(number),
            "path": " ".join(f"{x},{y}" for x, y in map(place, line.points)),
            "depot": place(line.start),
            "stops": [(*place(pin.position), pin) for pin in line.stops],
        }
        for number, line in enumerate(picture.lines)
    ]
    left_out = [(*place(pin.position), pin) for pin in picture.left_out]
    return _pages.get_template("map.html").render(
        title=picture.title, width=WIDTH, height=HEIGHT, lines=lines, left_out=left_out
    )


def geojson(picture: Picture) -> dict[str, Any]:
    """The same as GeoJSON (RFC 7946): a LineString a team, a Point a stop; longitude before latitude."""
    features = []
    for line in picture.lines:
        way = {"type": "LineString", "coordinates": [_lon_lat(point) for point in line.points]}
        features.append(_feature(way, team=line.team, text=line.text))
        features += [
            _feature(_point(pin), team=line.team, number=number, label=pin.label, text=pin.text, held=pin.held)
            for number, pin in enumerate(line.stops, 1)
        ]
    features += [_feature(_point(pin), left_out=True, label=pin.label, text=pin.text) for pin in picture.left_out]
    return {"type": "FeatureCollection", "features": features}


def page_of(instance: Instance, planned: Planned) -> str:
    """The map of a plan made from a file."""
    positions = instance.positions
    doors = {door.id: door for door in instance.day.doors}
    teams = {team.id: team for team in instance.day.teams}
    lines = tuple(
        Line(
            f"Team 小組 {route.team}",
            positions[teams[route.team].start],
            tuple(
                Pin(positions[doors[stop.door].place], stop.door, f"{_clock(stop.start)}–{_clock(stop.end)}")
                for stop in route.stops
            ),
            positions[teams[route.team].end],
            f"· {len(route.stops)} visits 訪次",
        )
        for route in planned.plan.routes
    )
    left_out = tuple(
        Pin(positions[doors[each.door].place], each.door, f"{each.sentence('en')} {each.sentence('zh')}")
        for each in planned.left_out
    )
    return page(Picture(instance.name, lines, left_out))


def _feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _point(pin: Pin) -> dict[str, Any]:
    return {"type": "Point", "coordinates": _lon_lat(pin.position)}


def _lon_lat(position: Position) -> list[float]:
    return [position[1], position[0]]


def _colour(number: int) -> str:
    """A colour for each team, dark enough for white figures: by the golden angle no two hues of a day are the same."""
    return f"hsl({number * 137.508 % 360:.1f} 75% {(30, 42)[number % 2]}%)"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


class _Projection:
    """Degrees to the page's units: the plane that touches the earth at the middle of the points."""

    def __init__(self, points: Sequence[Position]) -> None:
        latitudes, longitudes = [point[0] for point in points], [point[1] for point in points]
        self._south, self._west = min(latitudes, default=0.0), min(longitudes, default=0.0)
        self._narrower = max(0.1, cos(radians((max(latitudes, default=0.0) + self._south) / 2)))
        high = max(latitudes, default=0.0) - self._south
        wide = (max(longitudes, default=0.0) - self._west) * self._narrower
        self._scale = min((WIDTH - 2 * MARGIN) / (wide or 1e-9), (HEIGHT - 2 * MARGIN) / (high or 1e-9), 1e7)
        self._left, self._below = (WIDTH - wide * self._scale) / 2, (HEIGHT - high * self._scale) / 2

    def __call__(self, position: Position) -> tuple[float, float]:
        x = self._left + (position[1] - self._west) * self._narrower * self._scale
        y = HEIGHT - self._below - (position[0] - self._south) * self._scale
        return round(x, 1), round(y, 1)


def _projection(points: Iterable[Position]) -> _Projection:
    return _Projection(list(points))
