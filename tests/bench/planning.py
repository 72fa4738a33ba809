"""Planning: whether plans are as good, as quick and as small as docs/guides and the issue say they must be. The values
are what was reached, each floor is the bar; instances of the literature are read from a folder beside the checkout.
"""

import os
import resource
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean
from time import perf_counter

from services.visits.routing.checker import errors_of
from services.visits.routing.day import Day, Effort, Rest
from services.visits.routing.instances import Instance, read_field, read_vrptw
from services.visits.routing.planner import ProcessPlanner
from tests.bench.figures import Figure
from tests.bench.stage import Stage
from tests.visits.routing.days import HOUR, day_of

DATA = Path(os.environ.get("DOORSTEP_BENCH_DATA", Path(__file__).parents[3] / "shared/data"))
SECONDS = 5.0
SECONDS_AGAIN = 2.0
SOLOMON_PERCENT, HOMBERGER_PERCENT = 1.0, 1.5
COST_T20_BREAKS, COST_T8 = 112_000, 198_000
BIG_SECONDS = 30.0
MEGABYTES_MAX = 500.0
LUNCH = Rest(11 * HOUR + HOUR // 2, 14 * HOUR, 2_700)


async def measure(_stage: Stage) -> list[Figure]:
    figures = []
    if (DATA / "vrptw").is_dir() and (DATA / "field").is_dir():
        figures += await _literature()
        figures += await _field()
    else:
        print(f"planning: no instances in {DATA}, their bars are not measured", file=sys.stderr)
    figures.append(await _big())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    figures.append(Figure("planning: greatest process of a planner", "MB", [peak], {"bar": [MEGABYTES_MAX]}))
    return figures


async def _literature() -> list[Figure]:
    figures = []
    files = sorted((DATA / "vrptw").glob("*.vrp"))
    for name, wanted, bar in (
        ("Solomon, 100 visits", lambda stem: "_" not in stem, SOLOMON_PERCENT),
        ("Gehring & Homberger, 200 visits", lambda stem: "_2_" in stem, HOMBERGER_PERCENT),
    ):
        gaps = [await _gap(read_vrptw(file)) for file in files if wanted(file.stem)]
        figures.append(
            Figure(f"planning: {name}, mean gap at {SECONDS:.0f} s", "%", [mean(gaps)], {"bar": [bar]}, _listed(gaps))
        )
    return figures


async def _gap(instance: Instance) -> float:
    cost = await _cost(instance.day, Effort(SECONDS)) / instance.scale
    best = instance.best_known or cost
    return max(0.0, 100 * (cost - best) / best)


async def _cost(day: Day, effort: Effort) -> int:
    """The cost of a plan that the checker accepts."""
    planned = await ProcessPlanner().plan(day, effort)
    errors = errors_of(day, planned.plan)
    if errors:
        raise AssertionError(errors[:3])
    return planned.plan.cost


def _listed(values: list[float]) -> str:
    return "each: " + ", ".join(f"{value:.2f}" for value in values)


async def _field() -> list[Figure]:
    with_breaks = read_field(DATA / "field/field200_t20_brk.json").day
    few = read_field(DATA / "field/field200_t8.json").day
    rests = {team.shift: team.rest for team in with_breaks.teams}
    few_resting = replace(few, teams=tuple(replace(team, rest=rests[team.shift]) for team in few.teams))
    figures = []
    for name, day, bar in (
        ("20 teams with breaks", with_breaks, COST_T20_BREAKS),
        ("8 teams", few, COST_T8),
        ("8 teams with breaks", few_resting, COST_T8),
    ):
        cost = float(await _cost(day, Effort(SECONDS)))
        figures.append(Figure(f"planning: 200 visits, {name}, cost at 5 s", "s of travel", [cost], {"bar": [bar]}))
    return figures


async def _big() -> Figure:
    """1,000 visits and 60 teams, from the question to the checked plan with its reasons."""
    day = day_of(1_000, 60, rest=LUNCH, visits_max=12)
    started = perf_counter()
    await _cost(day, Effort(SECONDS))
    seconds = perf_counter() - started
    note = "from the question to the checked plan, with a reason for each door left out"
    return Figure("planning: 1,000 visits and 60 teams", "s", [seconds], {"bar": [BIG_SECONDS]}, note)
