"""A day to be planned, and the plan that is made of it. All times are whole seconds of one clock, all costs are seconds
of travel, and places are rows of one table of travel times; who builds a day decides what second zero means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

DOORS_MAX = 2_000
TEAMS_MAX = 200
MONEY_SECONDS_MAX = 43_200
"""Money alone is never worth more than half a day of travel; what is worth more was promised, or is urgent."""

Window = tuple[int, int]


class DayInvalid(ValueError):
    """A day that cannot be planned. `where` names the team or visit, the message how to mend it."""

    def __init__(self, code: str, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.code = code
        self.where = where


@dataclass(frozen=True, slots=True)
class Rest:
    """A break of so many seconds, which begins at `earliest` or later and is over by `latest`. Nobody travels in it."""

    earliest: int
    latest: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Team:
    """Two or more people and their day: they leave place `start` within the shift and are back at place `end` in it."""

    id: str
    start: int
    end: int
    shift: Window
    visits_max: int | None = None
    rest: Rest | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """A visit that may be made: it may begin within one of the windows (ends included) and takes `seconds`. Leaving it
    out costs `prize`; a required one may not be left out. `teams`: the teams that may make it; None means any."""

    id: str
    place: int
    windows: tuple[Window, ...]
    seconds: int
    prize: int = 0
    required: bool = False
    teams: frozenset[str] | None = None
    demand: int = 0

    def open_to(self, team: Team) -> bool:
        return self.teams is None or team.id in self.teams


@dataclass(frozen=True, slots=True)
class Day:
    """Teams, doors, and travel[a][b]: the seconds from place a to place b."""

    teams: tuple[Team, ...]
    doors: tuple[Door, ...]
    travel: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Stop:
    door: str
    arrival: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Route:
    """A team's day: its stops in order, when it leaves and is back, and its rest."""

    team: str
    stops: tuple[Stop, ...]
    leaves: int
    back: int
    travel: int
    rest: Window | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Routes of the teams that go out, and the doors that nobody goes to. cost = travel + prizes lost (seconds)."""

    routes: tuple[Route, ...]
    left_out: tuple[str, ...]
    travel: int
    prizes_lost: int
    solver: str = ""

    @property
    def cost(self) -> int:
        return self.travel + self.prizes_lost


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: seconds of the clock, or iterations from a seed, which give the same plan every time."""

    seconds: float = 5.0
    iterations: int | None = None
    seed: int = 1
    warm_start: dict[str, tuple[str, ...]] = field(default_factory=dict)


def check_day(day: Day) -> None:
    """Refuse a day that makes no sense, before any work is done. Raises DayInvalid."""
    check_counts(visits=len(day.doors), teams=len(day.teams))
    for problem in (*_problems_of_ways(day), *_problems_of_teams(day), *_problems_of_doors(day)):
        raise problem


def check_counts(*, visits: int, teams: int) -> None:
    """Refuse a day of no team or of too many visits or teams; their counts are known before anything else is."""
    if not teams:
        raise DayInvalid("no-teams", "", "There is no team to plan for: name at least one.")
    for what, count, most in (("visits", visits, DOORS_MAX), ("teams", teams, TEAMS_MAX)):
        if count > most:
            parts = -(-count // most)
            raise DayInvalid(
                "too-many",
                "",
                f"{count} {what} are too many for one plan, at most {most} fit: "
                f"split the area into {parts} or more, each with its own teams.",
            )


def _problems_of_ways(day: Day) -> Iterator[DayInvalid]:
    for place, ways in enumerate(day.travel):
        if ways[place] != 0:
            yield DayInvalid("way-to-itself", f"place {place}", "The way from a place to itself must take 0 seconds.")


def _problems_of_teams(day: Day) -> Iterator[DayInvalid]:
    places, seen = len(day.travel), set[str]()
    for team in day.teams:
        where = f"team {team.id}"
        if team.id in seen:
            yield DayInvalid("team-twice", where, "This id is there twice: give each team its own.")
        seen.add(team.id)
        if not (0 <= team.start < places and 0 <= team.end < places):
            yield DayInvalid("unknown-place", where, f"Its start or end is none of the {places} places.")
        if team.shift[0] >= team.shift[1]:
            yield DayInvalid("shift-reversed", where, "Its shift ends before it begins: turn the two times round.")
        rest = team.rest
        if rest is None:
            continue
        if rest.seconds > team.shift[1] - team.shift[0]:
            yield DayInvalid("break-too-long", where, "Its break is longer than its shift: shorten one or the other.")
        if rest.seconds < 0 or rest.earliest + rest.seconds > rest.latest:
            yield DayInvalid("break-does-not-fit", where, "Its break does not fit between its own times.")
        if max(rest.earliest, team.shift[0]) + rest.seconds > min(rest.latest, team.shift[1]):
            yield DayInvalid("break-does-not-fit", where, "Its break does not fit into its shift: move one of them.")


def _problems_of_doors(day: Day) -> Iterator[DayInvalid]:
    places, seen = len(day.travel), set[str]()
    for door in day.doors:
        where = f"visit {door.id}"
        if door.id in seen:
            yield DayInvalid("visit-twice", where, "This id is there twice: give each visit its own.")
        seen.add(door.id)
        if not 0 <= door.place < places:
            yield DayInvalid("unknown-place", where, f"Its place is none of the {places} places.")
        if any(opens > closes for opens, closes in door.windows):
            yield DayInvalid("window-reversed", where, "A window closes before it opens: turn the two times round.")
        if door.seconds < 0 or door.prize < 0 or door.demand < 0:
            yield DayInvalid("negative", where, "Its duration, prize or demand is negative.")
