"""Planning as a supervisor meets it: over HTTP, on an embedded house in one process, from the request until the plan is
published, with judging, positions, the search, the check and the gate's word on each visit.

The bar of a plan is that of the issue; that of a plan made anew is its own search, 2 s, with a second for all the rest.
"""

import asyncio
import random
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import create_engine, insert

from services.visits.caseload.tables import CaseloadRow
from shared.ids import new_id
from tests.actors.samples import MONDAY, at, row
from tests.bench.figures import Figure
from tests.bench.stage import Stage
from tests.house import House, running_house

DAYS = 3
VISITS, TEAMS = 200, 20
SECONDS, PUBLISHED_SECONDS = 5.0, 7.0
SECONDS_AGAIN, PUBLISHED_AGAIN_SECONDS = 2.0, 3.0
TOO_MANY, REFUSED_MS = 100_000, 100.0
LUNCH = {"earliest": "11:30", "latest": "14:00", "minutes": 45}


async def measure(_stage: Stage) -> list[Figure]:
    return await asyncio.to_thread(_measured)


def _measured() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, running_house(Path(folder), at(MONDAY, 8)) as house:
        days = [_day(house, random.Random(seed)) for seed in range(DAYS)]
        refused = _refused(house)
    first, again, told = zip(*days, strict=True)
    what = f"{VISITS} visits, {TEAMS} teams"
    return [
        Figure(
            f"planning: {what}, {SECONDS:.0f} s of search: from the request to published, HTTP",
            "s",
            first,
            {"bar": [PUBLISHED_SECONDS]},
        ),
        Figure(
            f"planning: the same day made anew in {SECONDS_AGAIN:.0f} s, a team ill: to published, HTTP",
            "s",
            again,
            {"bar": [PUBLISHED_AGAIN_SECONDS]},
            "; ".join(told),
        ),
        Figure(f"planning: {TOO_MANY:,} wanted cases are refused, HTTP", "ms", refused, {"bar": [REFUSED_MS]}),
    ]


def _day(house: House, dice: random.Random) -> tuple[float, float, str]:
    """A lender's cases are planned; then the team with most visits falls ill. Seconds of both, and what changed."""
    lender = house.lender()
    lender.place(*(_somewhere(number, dice) for number in range(VISITS)))
    cases = list(lender.cases().values())
    house.verify_addresses(cases)
    teams = [house.team().id for _ in range(TEAMS)]
    house.quiet()
    wish = {"day": str(MONDAY), "team_ids": teams, "seconds": SECONDS, "rest": LUNCH}
    plan, first = _published(house, wish)
    routes = f"/visits/v1/day-plans/{plan['id']}/routes"
    ill = max(house.supervisor.get(routes)["items"], key=lambda route: len(route["stops"]))
    wish = {"ill_team_ids": [ill["team_id"]], "seconds": SECONDS_AGAIN}
    new, again = _published(house, wish, plan["id"])
    others = plan["visits"] - len(ill["stops"])
    moved = len(set(new["changes"]["other_team"]) - {stop["case_id"] for stop in ill["stops"]})
    return (
        first,
        again,
        f"{moved} of {others} visits of the other teams change team, cost {plan['cost']} → {new['cost']}",
    )


def _somewhere(number: int, dice: random.Random) -> str:
    """A door within about nine kilometres of the middle of Taipei."""
    latitude, longitude = 25.04 + dice.uniform(-0.08, 0.08), 121.54 + dice.uniform(-0.08, 0.08)
    return row(f"A-{number}", balance=dice.randrange(210_000, 900_000), lat=f"{latitude:.5f}", lon=f"{longitude:.5f}")


def _published(house: House, wish: dict[str, Any], replaces: str | None = None) -> tuple[dict[str, Any], float]:
    started = perf_counter()
    plan = house.planned(wish, replaces)
    seconds = perf_counter() - started
    if plan["status"] != "PUBLISHED":
        raise AssertionError(plan)
    return plan, seconds


def _refused(house: House) -> list[float]:
    """Milliseconds from the request to its refusal."""
    engine = create_engine(f"sqlite:///{house.data / 'visits.sqlite3'}", connect_args={"timeout": 30})
    sound = CaseloadRow(id=new_id(), opened=True, wanted=True, balance_minor=1).model_dump()
    with engine.begin() as connection:
        connection.execute(insert(CaseloadRow), [sound | {"id": new_id()} for _ in range(TOO_MANY)])
    engine.dispose()
    times = []
    for _ in range(DAYS):
        started = perf_counter()
        house.supervisor.post("/visits/v1/day-plans", {"day": str(MONDAY)}, expect=413)
        times.append(1000 * (perf_counter() - started))
    return times
