"""The adapter of PyVRP: a day in its words, and its solution in ours. Input is put in the order of ids first, so that
the same day gives the same plan whatever order it came in.

PyVRP knows neither several windows of a visit nor who may make it nor a rest. Windows become clients of which one at
most is visited; each set of allowed teams becomes a load that only these teams carry; a rest is planned in two steps,
as `plan_by_solver` says. Where a plan is made again, a way to a door that was another team's seems longer than it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy
from pyvrp import (
    Client,
    ClientGroup,
    Depot,
    IteratedLocalSearch,
    IteratedLocalSearchCallbacks,
    IteratedLocalSearchParams,
    Location,
    PenaltyParams,
    ProblemData,
    Solution,
    SolveParams,
    VehicleType,
    solve,
)
from pyvrp import Route as VrpRoute
from pyvrp.stop import MaxIterations, MaxRuntime, MultipleCriteria, NoImprovement

from services.visits.routing.day import Day, Door, Effort, Plan, Rest, Team
from services.visits.routing.insertion import Sequences, mend, plan_of
from services.visits.routing.timetable import route_of, sequences

Progress = Callable[[int], object]

FIRST_STEP_SHARE = 0.4
"""Of the effort, what the step before the rests are placed gets."""
STAY_SECONDS = 600
"""What it must save to give a door to another team than the one that was told of it."""
CELLS_MAX = 8_000_000
"""How many numbers all tables of ways may hold together: 8 bytes each and held three times, some 200 MB."""
PENALTY_MAX = 100_000.0
"""The solver's own limit of what one unit of a broken rule costs."""
PATIENCE_PER_CLIENT = 500
"""A small day is done long before its time is up: after so many steps a client without a better plan."""


def plan_by_solver(day: Day, effort: Effort, progress: Progress = lambda cost: None) -> Plan:
    """The best plan found within the effort. `progress` is called with the cost of each better one.

    Where teams rest, a first search leaves room for the rests, and a second one has each team rest after the door
    before which its timetable says so."""
    started = perf_counter()
    day = in_order(day)
    routes = sequences(day, effort.warm_start)
    if any(team.rest for team in day.teams):
        first = _part(effort, FIRST_STEP_SHARE)
        routes = _search(day, routes, first, progress, hosts={})
        mend(day, routes)
        effort = replace(
            _part(effort, 1 - FIRST_STEP_SHARE), seconds=max(0.0, effort.seconds - (perf_counter() - started))
        )
        routes = _search(day, routes, effort, progress, hosts=hosts_of(day, routes))
    else:
        routes = _search(day, routes, effort, progress, hosts={})
    mend(day, routes)
    return plan_of(day, routes, "pyvrp")


def in_order(day: Day) -> Day:
    return replace(
        day,
        teams=tuple(sorted(day.teams, key=lambda team: team.id)),
        doors=tuple(sorted(day.doors, key=lambda door: door.id)),
    )


def _part(effort: Effort, share: float) -> Effort:
    iterations = None if effort.iterations is None else max(1, round(effort.iterations * share))
    return replace(effort, seconds=effort.seconds * share, iterations=iterations)


def hosts_of(day: Day, routes: Sequences) -> dict[str, str]:
    """The door after which each team rests, where its route has one: team id to door id."""
    hosts = {}
    for team in day.teams:
        route = route_of(day, team, routes[team.id])
        if route is None or route.rest is None or team.rest is None:
            continue
        if route.rest[0] >= route.back:
            continue  # it rests after the return, and the shift is cut for that
        before = sum(stop.end <= route.rest[0] for stop in route.stops)
        if before and _with_rest(routes[team.id][before - 1], team.rest):
            hosts[team.id] = routes[team.id][before - 1].id
    return hosts


@dataclass(frozen=True, slots=True)
class _Kind:
    """What teams must share to be vehicles of one type."""

    start: int
    end: int
    shift: tuple[int, int]
    visits_max: int | None
    capacity: int | None
    loads: tuple[bool, ...]
    rest: Rest | None
    has_host: bool
    circle: int


def _search(day: Day, routes: Sequences, effort: Effort, progress: Progress, hosts: dict[str, str]) -> Sequences:
    """One run of the solver, begun from these routes. `hosts`: a door for each team after which it rests."""
    model = _Model(day, hosts, effort.warm_start)
    if not model.clients:
        return routes
    patience = NoImprovement(PATIENCE_PER_CLIENT * (1 + len(model.clients)))
    in_time = MultipleCriteria([MaxRuntime(effort.seconds), patience])
    stop = in_time if effort.iterations is None else MaxIterations(effort.iterations)
    params = SolveParams(
        ils=IteratedLocalSearchParams(callbacks=_Report(model, progress)),
        penalty=PenaltyParams(max_penalty=_penalty_max(day)),
    )
    begun = any(routes.values())
    result = solve(
        model.data,
        stop,
        seed=effort.seed,
        collect_stats=False,
        display=False,
        params=params,
        initial_solution=model.solution(routes) if begun else None,
    )
    return model.routes(result.best)


def _penalty_max(day: Day) -> float:
    """To break a rule must cost more than any door is worth, or the solver ends with plans that nobody can keep."""
    return max(PENALTY_MAX, 2.0 * max((door.prize for door in day.doors), default=0))


class _Report(IteratedLocalSearchCallbacks):
    """Tells of better plans, at most ten times a second."""

    def __init__(self, model: "_Model", progress: Progress) -> None:
        self._model = model
        self._progress = progress
        self._told_at = 0.0

    def on_start(self, ils: IteratedLocalSearch) -> None:
        self.on_best(ils.initial_solution)

    def on_best(self, best: Solution) -> None:
        now = perf_counter()
        if best.is_feasible() and now - self._told_at >= 0.1:
            self._told_at = now
            self._progress(self._model.cost(best))


class _Model:
    """A day as PyVRP's ProblemData, with the way back: which client is which door, which vehicle which team."""

    def __init__(self, day: Day, hosts: dict[str, str], before: Mapping[str, Sequence[str]]) -> None:
        self.day = day
        self._before = before
        self._circles = _circles(day, before)
        self._hosts = hosts
        self._rest_at = {door: team for team, door in hosts.items()}
        self._sets = sorted({tuple(sorted(door.teams)) for door in day.doors if door.teams is not None})
        self._rests = sorted({team.rest for team in day.teams if team.id in hosts}, key=repr)
        self.kinds: dict[_Kind, list[Team]] = {}
        for team in day.teams:
            self.kinds.setdefault(self._kind(team), []).append(team)
        self.clients: list[Client] = []
        self.doors: list[Door] = []
        self._groups: list[ClientGroup] = []
        for door in day.doors:
            self._add(door)
        self._depots = sorted({place for team in day.teams for place in (team.start, team.end)})
        self.data = self._problem()

    def _problem(self) -> ProblemData:
        travel: Any = numpy.asarray(self.day.travel, dtype=numpy.int64)
        distances = [travel + self._strange(circle, travel) for circle in range(max(self._circles.values()) + 1)]
        return ProblemData(
            [Location(0, 0) for _ in self.day.travel],
            self.clients,
            [Depot(place) for place in self._depots],
            [self._vehicles(kind, teams) for kind, teams in self.kinds.items()],
            distances,
            [travel] * len(distances),
            self._groups,
        )

    def _strange(self, circle: int, travel: Any) -> Any:
        """What the ways of this circle's teams are longer by: those to doors that were another circle's only."""
        place = {door.id: door.place for door in self.day.doors}
        own: set[int] = set()
        others: set[int] = set()
        for team in self.day.teams:
            mine = own if circle and self._circles[team.id] == circle else others
            mine.update(place[door] for door in self._before.get(team.id, ()) if door in place)
        more = numpy.zeros_like(travel)
        more[:, sorted(others - own)] = STAY_SECONDS
        numpy.fill_diagonal(more, 0)
        return more

    def _kind(self, team: Team) -> _Kind:
        loads = tuple(team.id in allowed for allowed in self._sets)
        shift, has_host = team.shift, team.id in self._hosts
        if team.rest is not None and not has_host:
            shift = (shift[0], max(shift[0], shift[1] - team.rest.seconds))
        return _Kind(
            team.start,
            team.end,
            shift,
            team.visits_max,
            team.capacity,
            loads,
            team.rest if has_host else None,
            has_host,
            self._circles[team.id],
        )

    def _vehicles(self, kind: _Kind, teams: Sequence[Team]) -> VehicleType:
        plenty = len(self.doors) + 1
        return VehicleType(
            len(teams),
            [
                *(plenty if carries else 0 for carries in kind.loads),
                *(1 if rest == kind.rest else 0 for rest in self._rests),
                plenty if kind.visits_max is None else kind.visits_max,
                sum(door.demand for door in self.day.doors) if kind.capacity is None else kind.capacity,
            ],
            self._depots.index(kind.start),
            self._depots.index(kind.end),
            tw_early=kind.shift[0],
            tw_late=kind.shift[1],
            profile=kind.circle,
        )

    def _add(self, door: Door) -> None:
        """A client for each window of a door, of which at most one is visited."""
        host_of = self._rest_at.get(door.id)
        rest = next((team.rest for team in self.day.teams if team.id == host_of), None)
        windows = [] if not door.windows else _with_rest(door, rest) if rest else sorted(door.windows)
        required = door.required or rest is not None
        group = ClientGroup(required=required) if len(windows) > 1 else None
        for opens, closes in windows:
            if group is not None:
                group.add_client(len(self.clients))
            self.clients.append(
                Client(
                    door.place,
                    delivery=self._loads(door, rest),
                    service_duration=door.seconds + (rest.seconds if rest else 0),
                    tw_early=opens,
                    tw_late=closes,
                    prize=door.prize,
                    required=required and group is None,
                    group=None if group is None else len(self._groups),
                )
            )
            self.doors.append(door)
        if group is not None:
            self._groups.append(group)

    def _loads(self, door: Door, rest: Rest | None) -> list[int]:
        allowed = None if door.teams is None else tuple(sorted(door.teams))
        return [
            *(int(each == allowed) for each in self._sets),
            *(int(each == rest) for each in self._rests),
            1,
            door.demand,
        ]

    def solution(self, routes: Sequences) -> Solution:
        """These routes, as the solver's own; each door in the window that its timetable uses."""
        clients: dict[str, list[int]] = {}
        for index, door in enumerate(self.doors):
            clients.setdefault(door.id, []).append(index)
        made = []
        for number, teams in enumerate(self.kinds.values()):
            for team in teams:
                route = route_of(self.day, team, routes[team.id])
                if route is None or not route.stops:
                    continue
                visits = [
                    self._client_at(clients[stop.door], stop.start) for stop in route.stops if stop.door in clients
                ]
                made.append(VrpRoute(self.data, visits, number))
        return Solution(self.data, made)

    def _client_at(self, candidates: Sequence[int], start: int) -> int:
        for index in candidates:
            if self.clients[index].tw_early <= start <= self.clients[index].tw_late:
                return index
        return candidates[0]

    def cost(self, solution: Solution) -> int:
        """Seconds under way and prizes lost, without what only seems longer."""
        seconds = solution.uncollected_prizes()
        kinds = list(self.kinds)
        for route in solution.routes():
            kind = kinds[route.vehicle_type()]
            way = [kind.start, *(self.doors[step.idx].place for step in route if step.is_client()), kind.end]
            seconds += sum(self.day.travel[a][b] for a, b in pairwise(way))
        return int(seconds)

    def routes(self, solution: Solution) -> Sequences:
        """The solver's routes, each given to the team of its kind that had most of its doors before: to the solver
        teams of a kind are alike, to people who were told their day they are not."""
        made: dict[int, list[list[Door]]] = {}
        for route in solution.routes():
            doors = [self.doors[step.idx] for step in route if step.is_client()]
            made.setdefault(route.vehicle_type(), []).append(doors)
        found: Sequences = {team.id: [] for team in self.day.teams}
        for number, teams in enumerate(self.kinds.values()):
            routes = made.get(number, [])
            shared = {
                (at, team.id): len({door.id for door in routes[at]} & set(self._before.get(team.id, ())))
                for at in range(len(routes))
                for team in teams
            }
            for at, team_id in sorted(shared, key=lambda pair: (-shared[pair], pair)):
                if routes[at] and not found[team_id]:
                    found[team_id], routes[at] = routes[at], []
        return found


def _circles(day: Day, before: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The circle of each team: 0 for those that had no doors before; the others have one each, or share one where
    there are too many teams for a table of ways each. Doors may change their team within a circle for nothing."""
    room = max(1, CELLS_MAX // max(1, len(day.travel)) ** 2 - 1)
    busy = [team.id for team in day.teams if before.get(team.id)]
    return {team.id: 0 for team in day.teams} | {team: 1 + number % room for number, team in enumerate(busy)}


def _with_rest(door: Door, rest: Rest) -> list[tuple[int, int]]:
    """When a visit may begin after which the team rests at once."""
    first, last = rest.earliest - door.seconds, rest.latest - rest.seconds - door.seconds
    cut = [(max(opens, first), min(closes, last)) for opens, closes in sorted(door.windows)]
    return [(opens, closes) for opens, closes in cut if opens <= closes]
