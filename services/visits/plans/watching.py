"""Lets the planner's process solve a day, tells how far it is, and ends it when somebody cancels the plan. Progress
goes through the database, since who watches may ask another process than the one that solves.
"""

import asyncio
from uuid import UUID

from services.visits.base import STREAMS
from services.visits.plans.domain import PlanStatus, stream_of
from services.visits.plans.tables import DayPlanRow
from services.visits.routing.day import Day, Effort
from services.visits.routing.planner import Planner
from services.visits.routing.reasons import Planned
from shared.clock import monotonic_seconds
from shared.runtime import Runtime

LOOK_SECONDS = 0.5


async def solve_watched(runtime: Runtime, planner: Planner, plan_id: UUID, day: Day, effort: Effort) -> Planned | None:
    """The plan, or None where it was cancelled meanwhile. Raises DayInvalid and PlannerFailed."""
    costs: list[int] = []
    started, told = monotonic_seconds(), 0
    solving = asyncio.create_task(planner.plan(day, effort, costs.append))
    try:
        while not solving.done():
            await asyncio.wait([solving], timeout=LOOK_SECONDS)
            if costs[told:]:
                told = len(costs)
                await tell(runtime, plan_id, monotonic_seconds() - started, costs[-1])
            if not await _still_wanted(runtime, plan_id):
                return None
        return solving.result()
    finally:
        solving.cancel()
        await asyncio.wait([solving])


async def tell(runtime: Runtime, plan_id: UUID, seconds: float, cost: int) -> None:
    async with runtime.database.transaction() as tx:
        await STREAMS.add(tx, stream_of(plan_id), "progress", {"seconds": round(seconds, 1), "cost": cost})


async def _still_wanted(runtime: Runtime, plan_id: UUID) -> bool:
    async with runtime.database.reading() as tx:
        plan = await tx.session.get(DayPlanRow, plan_id)
        return plan is not None and plan.status == PlanStatus.DRAFT
