"""What a plan was made from, kept so that it can be changed by hand, pictured and planned anew: the day in the words of
routing, when its second zero was, and what each prize was reckoned from. Places and ways are sealed apart from it.
"""

import json
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as parsed

from services.visits.distance import Position
from services.visits.plans.domain import Assignment
from services.visits.plans.prizes import Prize
from services.visits.plans.tables import PlanBasisRow
from services.visits.routing.day import Day, Door, Plan, Route, Team
from services.visits.routing.timetable import route_of, sequences
from shared.sealing import Sealer

PLACES = "plan-places"
Routes = dict[str, list[str]]


@parsed(frozen=True)
class _Basis:
    origin: datetime
    teams: tuple[Team, ...]
    doors: tuple[Door, ...]
    prizes: dict[str, dict[str, Any]]


_BASIS = TypeAdapter(_Basis)


@dataclass(frozen=True, slots=True)
class Basis:
    """`origin` is second zero; `positions` (degrees) and the tables `day.travel` and `metres` go by place."""

    origin: datetime
    day: Day
    positions: tuple[Position, ...]
    metres: list[list[int]]
    prizes: dict[str, dict[str, Any]]

    def at(self, second: int) -> datetime:
        return self.origin + timedelta(seconds=second)

    def routes_of(self, routes: Routes) -> list[Route]:
        """The timetables of routes that are possible, teams without visits left out."""
        doors = sequences(self.day, {team: tuple(names) for team, names in routes.items()})
        timed = [route_of(self.day, team, doors[team.id]) for team in self.day.teams]
        return [route for route in timed if route is not None and route.stops]

    def assignments(self, routes: Routes) -> dict[UUID, Assignment]:
        return {
            UUID(stop.door): Assignment(UUID(route.team), self.at(stop.start))
            for route in self.routes_of(routes)
            for stop in route.stops
        }

    def metres_of(self, route: Route) -> int:
        """How far the team travels."""
        team = next(team for team in self.day.teams if team.id == route.team)
        place = {door.id: door.place for door in self.day.doors}
        way = [team.start, *(place[stop.door] for stop in route.stops), team.end]
        return sum(self.metres[a][b] for a, b in pairwise(way))


def routes_in(plan: Plan) -> Routes:
    return {route.team: [stop.door for stop in route.stops] for route in plan.routes}


def keep(basis: Basis, plan_id: UUID, routes: Routes, master: Sealer) -> PlanBasisRow:
    """The row of a basis: where debtors live is sealed under a new key."""
    wrapped, key = master.new_subject_key()
    places = {"positions": basis.positions, "travel": basis.day.travel, "metres": basis.metres}
    return PlanBasisRow(
        plan_id=plan_id,
        basis=_BASIS.dump_python(_Basis(basis.origin, basis.day.teams, basis.day.doors, basis.prizes), mode="json"),
        routes=routes,
        wrapped_key=wrapped,
        sealed_places=key.seal(zlib.compress(json.dumps(places).encode(), 1), PLACES),
    )


def open_basis(row: PlanBasisRow, master: Sealer) -> Basis:
    kept = _BASIS.validate_python(row.basis)
    places = json.loads(zlib.decompress(master.subject(row.wrapped_key).open(row.sealed_places, PLACES)))
    return Basis(
        kept.origin,
        Day(kept.teams, kept.doors, places["travel"]),
        tuple((latitude, longitude) for latitude, longitude in places["positions"]),
        places["metres"],
        kept.prizes,
    )


def prizes_to_json(prizes: dict[str, Prize]) -> dict[str, dict[str, Any]]:
    return {door: prize.to_json() for door, prize in prizes.items()}
