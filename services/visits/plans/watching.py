"""Lets the planner's process solve a day, tells how far it is, and ends it when somebody cancels the plan. Progress
goes through the database, since who watches may ask another process than the one that solves.
"""

import asyncio
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.visits.plans import usecases
from services.visits.plans.domain import PlanStatus
from services.visits.plans.tables import DayPlanRow, PlanProgressRow
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
                await _tell(runtime, plan_id, monotonic_seconds() - started, costs[-1])
            if not await _still_wanted(runtime, plan_id):
                return None
        return solving.result()
    finally:
        solving.cancel()
        await asyncio.wait([solving])


async def _tell(runtime: Runtime, plan_id: UUID, seconds: float, cost: int) -> None:
    """Note a better cost under the next number. A plan that is solved again after a crash goes on counting, so that
    who watches it by Last-Event-ID misses nothing."""
    async with runtime.database.transaction() as tx:
        await usecases.lock(tx, plan_id)
        last = await tx.session.scalar(
            select(func.max(col(PlanProgressRow.number))).where(col(PlanProgressRow.plan_id) == plan_id)
        )
        row = PlanProgressRow(plan_id=plan_id, number=(last or 0) + 1, seconds=round(seconds, 1), cost=cost)
        tx.session.add(row)


async def _still_wanted(runtime: Runtime, plan_id: UUID) -> bool:
    async with runtime.database.reading() as tx:
        plan = await tx.session.get(DayPlanRow, plan_id)
        return plan is not None and plan.status == PlanStatus.DRAFT
