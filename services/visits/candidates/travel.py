"""How long it takes from place to place: by the beeline, or asked of an OSRM server where one is configured.

A server that does not answer in time does not stop the day: the beeline stands in, and the plan names it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import httpx
import numpy

from services.visits.distance import EARTH_METRES, Position
from services.visits.settings import VisitsSettings

STREETS_PER_BEELINE = 1.35
"""How much longer streets are than the beeline, in towns."""
PLACES_PER_QUESTION = 100
"""OSRM answers at most so many sources and so many destinations at once, as it is shipped."""
TABLES_REMEMBERED_MAX = 8

Matrix = list[list[int]]


@dataclass(frozen=True, slots=True)
class TravelTable:
    """Seconds and metres from each place to each, and where they come from."""

    seconds: Matrix
    metres: Matrix
    source: str


class TravelTimes(Protocol):
    async def table(self, places: Sequence[Position]) -> TravelTable:
        """Travel between all places (degrees), in whole seconds."""
        ...


@dataclass(frozen=True)
class Beeline:
    """The great circle, times 1.35, at a speed."""

    kilometres_per_hour: float

    async def table(self, places: Sequence[Position]) -> TravelTable:
        metres = await asyncio.to_thread(_street_metres, places)
        seconds = numpy.rint(metres * 3.6 / self.kilometres_per_hour).astype(int)
        return TravelTable(seconds.tolist(), numpy.rint(metres).astype(int).tolist(), "beeline")


def _street_metres(places: Sequence[Position]) -> "numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float64]]":
    """Haversine formula for all pairs at once."""
    degrees = numpy.radians(numpy.array(places, dtype=float).reshape(-1, 2))
    latitude, longitude = degrees[:, 0], degrees[:, 1]
    half_latitude = numpy.sin((latitude[:, None] - latitude[None, :]) / 2)
    half_longitude = numpy.sin((longitude[:, None] - longitude[None, :]) / 2)
    chord = half_latitude**2 + numpy.cos(latitude)[:, None] * numpy.cos(latitude)[None, :] * half_longitude**2
    beeline: numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float64]]
    beeline = 2 * EARTH_METRES * numpy.arcsin(numpy.sqrt(numpy.minimum(chord, 1.0)))
    return beeline * STREETS_PER_BEELINE


class Osrm:
    """The table service of an OSRM server (`/table/v1/driving`), in blocks; `fallback` stands in while it is away.
    Coordinates go to that server: it must be one of ours."""

    def __init__(self, url: str, *, timeout_seconds: float, fallback: TravelTimes) -> None:
        self._url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._fallback = fallback
        self._remembered: OrderedDict[tuple[Position, ...], TravelTable] = OrderedDict()

    async def table(self, places: Sequence[Position]) -> TravelTable:
        rounded = tuple((round(latitude, 5), round(longitude, 5)) for latitude, longitude in places)
        if rounded in self._remembered:
            return self._remembered[rounded]
        try:
            async with asyncio.timeout(self._timeout_seconds), httpx.AsyncClient() as client:
                found = await self._ask(client, rounded)
        except (TimeoutError, httpx.HTTPError, ValueError, LookupError, TypeError, ArithmeticError):
            table = await self._fallback.table(places)
            return TravelTable(table.seconds, table.metres, f"{table.source} (osrm did not answer)")
        self._remembered[rounded] = found
        if len(self._remembered) > TABLES_REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return found

    async def _ask(self, client: httpx.AsyncClient, places: tuple[Position, ...]) -> TravelTable:
        size = len(places)
        seconds: Matrix = [[0] * size for _ in places]
        metres: Matrix = [[0] * size for _ in places]
        half = PLACES_PER_QUESTION // 2
        blocks = [range(start, min(start + half, size)) for start in range(0, size, half)]
        for sources in blocks:
            for targets in blocks:
                await self._ask_block(client, places, sources, targets, seconds, metres)
        return TravelTable(seconds, metres, "osrm")

    async def _ask_block(
        self,
        client: httpx.AsyncClient,
        places: tuple[Position, ...],
        sources: range,
        targets: range,
        seconds: Matrix,
        metres: Matrix,
    ) -> None:
        """Fill one block of the tables. Raises ValueError, LookupError, TypeError or ArithmeticError where two places
        are not connected, or the answer is no table of ways."""
        named = [*sources, *targets]
        coordinates = ";".join(f"{places[at][1]},{places[at][0]}" for at in named)
        answer = await client.get(
            f"{self._url}/table/v1/driving/{coordinates}",
            params={
                "annotations": "duration,distance",
                "sources": ";".join(str(at) for at in range(len(sources))),
                "destinations": ";".join(str(at) for at in range(len(sources), len(named))),
            },
            timeout=self._timeout_seconds,
        )
        found = answer.raise_for_status().json()
        if found["code"] != "Ok":
            raise ValueError(found["code"])
        for row, source in enumerate(sources):
            for column, target in enumerate(targets):
                seconds[source][target] = _whole(found["durations"][row][column])
                metres[source][target] = _whole(found["distances"][row][column])


def _whole(value: float) -> int:
    if value < 0:
        raise ValueError("a way of negative length")
    return round(value)


def travel_times(settings: VisitsSettings, jurisdiction: str = "") -> TravelTimes:
    """What the settings say: an OSRM server, or the beeline at the speed of the jurisdiction, or of the country that
    it lies in (`us` for `us-ma`)."""
    speeds = settings.travel_speeds_kmh
    country = jurisdiction.partition("-")[0]
    beeline = Beeline(speeds.get(jurisdiction, speeds.get(country, settings.travel_speed_kmh)))
    if settings.osrm_url is None:
        return beeline
    return _osrm(settings.osrm_url, settings.osrm_timeout_seconds, beeline)


@cache
def _osrm(url: str, timeout_seconds: float, fallback: TravelTimes) -> Osrm:
    """One for each server, so that its memory serves every plan."""
    return Osrm(url, timeout_seconds=timeout_seconds, fallback=fallback)
