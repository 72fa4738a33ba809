"""A day in the words of routing: teams with their shifts, doors with windows and prizes, the ways between them. For a
plan made anew in the middle of a day, what is done is fixed and what was promised is pinned.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from statistics import median_low
from uuid import UUID
from zoneinfo import ZoneInfo

from services.visits.candidates.judging import Judgement, start_windows
from services.visits.candidates.prizes import Prize
from services.visits.candidates.travel import TravelTable
from services.visits.distance import Position, beeline_metres
from services.visits.plans.plan_basis import Basis, Routes, prizes_to_json
from services.visits.plans.schemas import DayPlanBody, RestBody, Shift
from services.visits.routing.day import Day, Door, Rest, Team
from services.visits.routing.reasons import LeftOut, Reason
from services.visits.routing.timetable import is_possible

PIN_MINUTES = 15
"""How far a promised visit may move from the time that was said."""


@dataclass(frozen=True, slots=True)
class Crew:
    """A team's day: when and where it starts, where it ends (None: the depot of all), its rest, its cap."""

    team_id: UUID
    starts: datetime
    ends: datetime
    visits_max: int
    start: Position | None = None
    end: Position | None = None
    rest: tuple[datetime, datetime, int] | None = None

    def from_now(self, starts: datetime) -> "Crew":
        """The same day begun at this time: a rest that was due before is over."""
        rest = self.rest
        if rest is not None and max(starts, rest[0]) + timedelta(seconds=rest[2]) > min(rest[1], self.ends):
            rest = None
        return replace(self, starts=starts, rest=rest)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case that may be visited, with what that is worth and where it is."""

    judgement: Judgement
    prize: Prize
    position: Position

    @property
    def case_id(self) -> UUID:
        return self.judgement.row.id


@dataclass(frozen=True, slots=True)
class Pin:
    """A promised visit: at this time, and by this team as long as it can be there then."""

    team_id: UUID
    start: datetime


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What a plan in the middle of its day builds on: crews as they stand, pins, and the routes so far."""

    crews: tuple[Crew, ...]
    pins: Mapping[UUID, Pin] = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)

    def explained(self, left_out: Iterable[LeftOut]) -> list[LeftOut]:
        """Promises that nobody can keep any more, whatever the reason, are named: somebody must call the debtor."""
        promised = {str(case_id) for case_id in self.pins}
        return [replace(each, reason=Reason.PROMISED_TIME) if each.door in promised else each for each in left_out]


def crews_of(body: DayPlanBody, zone: ZoneInfo, now: datetime) -> list[Crew]:
    """The teams of a request, each with what is different for it. Nobody sets out in the past; a team whose shift is
    over does not set out at all."""
    own = {each.team_id: each for each in body.teams}
    crews = []
    for team_id in body.team_ids or []:
        different = own.get(team_id)
        shift = different.shift if different and different.shift else body.shift
        depot = different.depot if different and different.depot else body.depot
        rest = different.rest if different and different.rest else body.rest
        cap = different.visits_max if different and different.visits_max is not None else body.visits_per_team_max
        where = (depot.latitude, depot.longitude) if depot else None
        crew = _crew(team_id, body.day, shift, zone, cap, where, rest)
        crews.append(crew.from_now(max(crew.starts, now)))
    return [crew for crew in crews if crew.starts < crew.ends]


def _crew(
    team_id: UUID, day: date, shift: Shift, zone: ZoneInfo, cap: int, where: Position | None, rest: RestBody | None
) -> Crew:
    return Crew(
        team_id,
        _on(day, shift.start, zone),
        _on(day, shift.end, zone),
        cap,
        where,
        where,
        (_on(day, rest.earliest, zone), _on(day, rest.latest, zone), rest.minutes * 60) if rest else None,
    )


def _on(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone)


def places_of(crews: Iterable[Crew], candidates: Sequence[Candidate]) -> tuple[list[Position], Position]:
    """Every position once, doors last, and the depot of teams that name none: the middle of the day's addresses."""
    middle = _middle([candidate.position for candidate in candidates])
    depots = {where or middle: None for crew in crews for where in (crew.start, crew.end)}
    return [*depots, *(candidate.position for candidate in candidates)], middle


def _middle(positions: Sequence[Position]) -> Position:
    """The address nearest to the median of both coordinates: it lies on land, and one on the other side of the world
    does not move it there."""
    if not positions:
        return 0.0, 0.0
    middle = median_low(latitude for latitude, _ in positions), median_low(longitude for _, longitude in positions)
    return min(positions, key=lambda position: (beeline_metres(position, middle), position))


def compose(
    day: date,
    crews: Sequence[Crew],
    candidates: Sequence[Candidate],
    travel: TravelTable,
    places: Sequence[Position],
    middle: Position,
    *,
    visit_seconds: int,
    pins: Mapping[UUID, Pin],
) -> Basis:
    """The day to be solved. Second zero is the midnight before it, in UTC."""
    origin = datetime.combine(day - timedelta(days=1), time(0), ZoneInfo("UTC"))
    first_door = len(places) - len(candidates)
    depots = {position: number for number, position in reversed(list(enumerate(places[:first_door])))}
    teams = tuple(_team(crew, origin, depots[crew.start or middle], depots[crew.end or middle]) for crew in crews)
    doors = tuple(
        _door(candidate, first_door + number, origin, visit_seconds) for number, candidate in enumerate(candidates)
    )
    prizes = prizes_to_json({str(candidate.case_id): candidate.prize for candidate in candidates})
    unpinned, promised = Day(teams, doors, travel.seconds), {str(case_id): pin for case_id, pin in pins.items()}
    pinned = (_pinned(unpinned, door, promised[door.id], origin) if door.id in promised else door for door in doors)
    return Basis(origin, replace(unpinned, doors=tuple(pinned)), tuple(places), travel.metres, prizes)


def _team(crew: Crew, origin: datetime, start: int, end: int) -> Team:
    def second(moment: datetime) -> int:
        return int((moment - origin).total_seconds())

    rest = Rest(second(crew.rest[0]), second(crew.rest[1]), crew.rest[2]) if crew.rest else None
    return Team(str(crew.team_id), start, end, (second(crew.starts), second(crew.ends)), crew.visits_max, rest)


def _door(candidate: Candidate, place: int, origin: datetime, seconds: int) -> Door:
    judgement = candidate.judgement
    return Door(
        str(candidate.case_id),
        place,
        start_windows(judgement, seconds, origin),
        seconds,
        candidate.prize.seconds,
        teams=frozenset(map(str, judgement.team_ids)),
    )


def _pinned(day: Day, door: Door, pin: Pin, origin: datetime) -> Door:
    """A promised visit stays near its time; its team keeps it, unless that is off or cannot be there then."""
    said = int((pin.start - origin).total_seconds())
    near = (
        (max(opens, said - PIN_MINUTES * 60), min(closes, said + PIN_MINUTES * 60)) for opens, closes in door.windows
    )
    door = replace(door, windows=tuple((opens, closes) for opens, closes in near if opens <= closes))
    own = next((team for team in day.teams if team.id == str(pin.team_id)), None)
    if own is None or not is_possible(day, own, [door]):
        return door
    return replace(door, teams=frozenset({own.id}))
