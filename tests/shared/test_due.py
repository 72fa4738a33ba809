"""A clock that jumps thirty days comes to the same end as one that steps thirty times: in each room with daily work."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.followup.settings import FollowupSettings
from services.followup.worker import SERVICE as FOLLOWUP
from services.visits.app import create_app
from services.visits.settings import VisitsSettings
from services.visits.worker import SERVICE as VISITS
from shared.ids import new_id
from shared.runtime import Runtime
from tests.databases import migrated
from tests.followup.conftest import MONDAY, noon, paid, promised, running
from tests.one_service import OneService, client_of
from tests.visits.conftest import System as Visits
from tests.visits.visit.field import arrive

DAYS = 30
STEPS = {"thirty steps": range(1, DAYS + 1), "one jump": [DAYS]}


async def drained(system: OneService, now: datetime) -> None:
    """The clock shows this time, and each timer of business time runs until nothing is due."""
    await system.at(now)
    for timer in system.runtime.service.all_timers:
        while timer.awaited and await timer.run(system.runtime):
            pass


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


async def of_the_calendar(system: OneService, steps: list[int], cases: list[Any]) -> list[str]:
    """What the timers publish while the clock goes on."""
    before = len(await system.published())
    for number in steps:
        await drained(system, noon(day(number)))
    return sorted(said(kind, payload, cases) for kind, _, payload in (await system.published())[before:])


async def promises(folder: Path, steps: list[int]) -> Any:
    settings = await asyncio.to_thread(migrated, FollowupSettings(data_dir=folder, clock=noon(MONDAY)), FOLLOWUP)
    async with running(settings) as system:
        cases = [new_id() for _ in range(5)]
        await system.hear(
            promised(cases[0], (day(3), "3000")),
            promised(cases[1], (day(5), "2000"), (day(19), "2000")),
            promised(cases[2], (day(9), "900")),
            promised(cases[3], (day(28), "100")),
            promised(cases[4], (day(2), "100"), (day(12), "100"), zone="America/New_York"),
        )
        await system.hear(paid(cases[1], "2000", MONDAY), paid(cases[2], "500", MONDAY), paid(cases[4], "100", MONDAY))
        return await of_the_calendar(system, steps, cases)


async def visits(folder: Path, steps: list[int]) -> Any:
    monday = noon(MONDAY) - timedelta(hours=2)  # ten in Taipei
    settings = await asyncio.to_thread(migrated, VisitsSettings(data_dir=folder, clock=monday), VISITS)
    runtime = Runtime(VISITS, settings)
    async with client_of(create_app(runtime)) as client:
        system = Visits(runtime, client)
        team, cases = await system.team(), [await system.case() for _ in range(4)]
        sent, here = [await system.visit(case, team, hour=10 + n) for n, case in enumerate(cases[:2])]
        for visit in (sent, here):
            await system.post(f"/visits/{visit}/dispatch")
        await arrive(system, here, team, monday)
        await system.visit(cases[2], team, day=day(4))
        await system.visit(cases[3], team, day=day(20))
        return await of_the_calendar(system, steps, cases)


def said(kind: str, payload: bytes, cases: list[Any]) -> str:
    """An event without the ids that differ between two worlds."""
    known = {str(case): f"case {number}" for number, case in enumerate(cases)}
    fields = json.loads(payload)
    same = {name: value for name, value in fields.items() if not name.endswith(("_id", "_ids"))}
    return f"{kind} {known[fields['case_id']]} {same}"


@pytest.mark.parametrize("room", [promises, visits])
async def test_a_jump_of_the_clock_ends_as_thirty_steps(room: Callable[..., Awaitable[Any]], tmp_path: Path) -> None:
    ends = [await room(tmp_path / name, list(steps)) for name, steps in STEPS.items()]
    assert ends[0] == ends[1]
    assert len(ends[0]) >= 4
