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

from services.visits.candidates.prizes import Prize
from services.visits.distance import Position
from services.visits.plans.domain import Assignment
from services.visits.plans.tables import PlanBasisRow
from services.visits.routing.day import Day, Door, Plan, Route, Team
from services.visits.routing.timetable import route_of, sequences
from shared.database import Transaction
from shared.sealing import Place

BASIS = "basis"
"""The class of where the debtors of a plan live, and of the ways between them."""
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


def subject_of(plan_id: UUID) -> str:
    """The key is the plan's: a table of travel times cannot be divided by debtor."""
    return f"plan/{plan_id.hex}"


def _place(plan_id: UUID) -> Place:
    return Place("plan_basis", "sealed_places", (plan_id,), before="plan-places")


async def keep(tx: Transaction, plan_id: UUID, basis: Basis, routes: Routes) -> PlanBasisRow:
    """The row of a basis: where debtors live is sealed."""
    places = {"positions": basis.positions, "travel": basis.day.travel, "metres": basis.metres}
    packed = zlib.compress(json.dumps(places).encode(), 1)
    return PlanBasisRow(
        plan_id=plan_id,
        basis=_BASIS.dump_python(_Basis(basis.origin, basis.day.teams, basis.day.doors, basis.prizes), mode="json"),
        routes=routes,
        sealed_places=await tx.vault.seal(subject_of(plan_id), BASIS, _place(plan_id), packed, new=True),
    )


async def open_basis(tx: Transaction, row: PlanBasisRow) -> Basis:
    kept = _BASIS.validate_python(row.basis)
    packed = await tx.vault.open(subject_of(row.plan_id), BASIS, _place(row.plan_id), row.sealed_places)
    places = json.loads(zlib.decompress(packed))
    return Basis(
        kept.origin,
        Day(kept.teams, kept.doors, places["travel"]),
        tuple((latitude, longitude) for latitude, longitude in places["positions"]),
        places["metres"],
        kept.prizes,
    )


def prizes_to_json(prizes: dict[str, Prize]) -> dict[str, dict[str, Any]]:
    return {door: prize.to_json() for door, prize in prizes.items()}
