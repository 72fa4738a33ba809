"""Lets the planner's process solve a day, and stores how far it is: a client may watch it by another process."""

import asyncio
from uuid import UUID

from services.visits.base import STREAMS
from services.visits.plans.domain import stream_of
from services.visits.routing.day import Day, Effort
from services.visits.routing.planner import Planner
from services.visits.routing.reasons import Planned
from shared.clock import monotonic_seconds
from shared.database import Transaction
from shared.job_runner import Work

LOOK_SECONDS = 0.5


async def solve_watched(work: Work, planner: Planner, day: Day, effort: Effort) -> Planned:
    """The plan. Raises DayInvalid and PlannerFailed; JobLost where the plan was cancelled meanwhile."""
    costs: list[int] = []
    started, stored = monotonic_seconds(), 0
    solving = asyncio.create_task(planner.plan(day, effort, costs.append))
    try:
        while not solving.done():
            await asyncio.wait([solving], timeout=LOOK_SECONDS)
            if costs[stored:]:
                stored = len(costs)
                async with work.transaction() as tx:
                    await add_progress(tx, work.id, monotonic_seconds() - started, costs[-1])
        return solving.result()
    finally:
        solving.cancel()
        await asyncio.wait([solving])


async def add_progress(tx: Transaction, plan_id: UUID, seconds: float, cost: int) -> None:
    """Add a better cost to the plan's stream."""
    await STREAMS.add(tx, stream_of(plan_id), "progress", {"seconds": round(seconds, 1), "cost": cost})
