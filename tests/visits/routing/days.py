"""Days to plan in tests: made from a seed, or drawn by Hypothesis; always possible to state, not always to keep."""

import random
from collections.abc import Callable
from math import hypot
from typing import Any

from hypothesis import strategies as st

from services.visits.routing.day import Day, Door, Rest, Team

HOUR = 3_600
SHIFT = (9 * HOUR, 18 * HOUR)


def table(positions: list[tuple[int, int]]) -> list[list[int]]:
    """Seconds between points of a plane, ten a unit of distance (Manhattan): it keeps the triangle's law."""
    return [[10 * (abs(ax - bx) + abs(ay - by)) for bx, by in positions] for ax, ay in positions]


def day_of(doors: int = 12, teams: int = 2, *, seed: int = 1, rest: Rest | None = None, **of_team: Any) -> Day:
    """A day in a small town; prizes are worth most trips."""
    dice = random.Random(seed)
    positions = [(50, 50)] + [(dice.randrange(100), dice.randrange(100)) for _ in range(doors)]
    return Day(
        tuple(Team(f"t{n}", 0, 0, SHIFT, rest=rest, **of_team) for n in range(teams)),
        tuple(
            Door(f"d{n:03}", n, (SHIFT,), dice.randrange(600, 1800), prize=dice.randrange(300, 4000))
            for n in range(1, doors + 1)
        ),
        table(positions),
    )


DEPOTS = [(25.0324, 121.5199), (25.0830, 121.5870), (25.1320, 121.5013)]
EARLY, LATE = (8 * HOUR + HOUR // 2, 17 * HOUR + HOUR // 2), (12 * HOUR, 21 * HOUR)
RESTS = {
    EARLY: Rest(11 * HOUR + HOUR // 2, 14 * HOUR, 2_700),
    LATE: Rest(16 * HOUR + HOUR // 2, 18 * HOUR + 1_800, 2_700),
}
PARTS = [(8 * HOUR, 21 * HOUR), (8 * HOUR, 12 * HOUR), (12 * HOUR, 17 * HOUR), (17 * HOUR, 21 * HOUR)]


def city_day(seed: int, doors: int, teams: int, *, resting: bool = True) -> Day:
    """A day as the field has it: three depots, two shifts with their breaks, three skills that half the doors need,
    windows of a part of the day, prizes with a long tail, fifteen visits a team; 20 km/h by the beeline × 1.35."""
    dice = random.Random(seed)
    places = DEPOTS + [(25.07 + dice.gauss(0, 0.04), 121.54 + dice.gauss(0, 0.04)) for _ in range(doors)]
    skills = [set(range(3))] + [set(dice.sample(range(3), dice.choice((0, 1, 1, 2)))) for _ in range(teams - 1)]
    crews = []
    for number in range(teams):
        depot, shift = dice.randrange(3), dice.choice((EARLY, LATE))
        crews.append(Team(f"t{number:02}", depot, depot, shift, 15, RESTS[shift] if resting else None))
    made = []
    for number in range(doors):
        needs = set(dice.sample(range(3), dice.choice((0, 0, 0, 1, 1, 2))))
        able = frozenset(team.id for team, has in zip(crews, skills, strict=True) if needs <= has)
        prize = round(2_000 * dice.lognormvariate(0, 0.8))
        window = dice.choice((PARTS[0], *PARTS))
        made.append(Door(f"d{number:03}", number + 3, (window,), dice.randrange(900, 1_800), prize, teams=able))
    return Day(tuple(crews), tuple(made), [[_drive(a, b) for b in places] for a in places])


def _drive(a: tuple[float, float], b: tuple[float, float]) -> int:
    north, east = (b[0] - a[0]) * 111_195, (b[1] - a[1]) * 100_700
    return round(1.35 * hypot(north, east) / (20 / 3.6))


@st.composite
def days(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Day:
    """Up to three teams and ten doors: windows narrow or double, skills, pins, caps, rests, prizes of nothing."""
    names = [f"t{n}" for n in range(draw(st.integers(1, 3)))]
    count = draw(st.integers(0, 10))
    positions = [draw(st.tuples(st.integers(0, 200), st.integers(0, 200))) for _ in range(count + 2)]
    return Day(
        tuple(draw(_teams(name)) for name in names),
        tuple(draw(_doors(f"d{n}", n + 2, names)) for n in range(count)),
        table(positions),
    )


@st.composite
def _teams(draw: Callable[[st.SearchStrategy[Any]], Any], name: str) -> Team:
    opens = draw(st.integers(7, 12)) * HOUR
    closes = opens + draw(st.integers(2, 10)) * HOUR
    rest = None
    if draw(st.booleans()):
        earliest = opens + draw(st.integers(0, 2)) * HOUR // 2
        rest = Rest(earliest, earliest + draw(st.integers(1, 4)) * HOUR, 2_700)
    visits_max = draw(st.none() | st.integers(0, 5))
    return Team(name, draw(st.integers(0, 1)), draw(st.integers(0, 1)), (opens, closes), visits_max, rest)


@st.composite
def _doors(draw: Callable[[st.SearchStrategy[Any]], Any], name: str, place: int, teams: list[str]) -> Door:
    windows = []
    for _ in range(draw(st.integers(0, 2))):
        opens = draw(st.integers(6, 20)) * HOUR
        windows.append((opens, opens + draw(st.integers(0, 5)) * HOUR // 2))
    allowed = draw(st.none() | st.frozensets(st.sampled_from(teams)))
    return Door(name, place, tuple(windows), draw(st.integers(0, 3_600)), draw(st.integers(0, 6_000)), teams=allowed)
