"""Of several workers that could make a plan one does: it claims the draft for some seconds, and goes on claiming it
while it is at work. A draft of which the making was cut off is free again when its claim has run out.

Claims go by the clocks of the hosts. Where these differ by more, a plan is made twice; it is stored once in any case.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, Update, or_, select, update
from sqlmodel import col

from services.visits.plans.domain import PlanStatus
from services.visits.plans.tables import DayPlanRow
from shared.clock import system_now
from shared.database import AWAY, Database

CLAIM_SECONDS = 10.0


@asynccontextmanager
async def claimed_draft(database: Database) -> AsyncIterator[UUID | None]:
    """The oldest draft that nobody is at work on, claimed until the end; None where there is none."""
    plan_id = await _claim(database)
    if plan_id is None:
        yield None
        return
    keeping = asyncio.create_task(_keep(database, plan_id))
    try:
        yield plan_id
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await _say(database, plan_id, None)  # what could not be made now may be tried again at once


async def _claim(database: Database) -> UUID | None:
    async with database.reading() as tx:  # most looks find nothing, and need not write
        if await tx.session.scalar(_free()) is None:
            return None
    async with database.transaction() as tx:
        plan_id: UUID | None = await tx.session.scalar(_free().with_for_update(skip_locked=True))
        if plan_id is not None:
            await tx.session.execute(_until(plan_id, _in_a_while()))
        return plan_id


def _free() -> Select[UUID]:
    free = or_(col(DayPlanRow.claimed_until).is_(None), col(DayPlanRow.claimed_until) < system_now())
    drafts = select(col(DayPlanRow.id)).where(col(DayPlanRow.status) == PlanStatus.DRAFT, free)
    return drafts.order_by(col(DayPlanRow.id)).limit(1)


def _in_a_while() -> datetime:
    return system_now() + timedelta(seconds=CLAIM_SECONDS)


def _until(plan_id: UUID, until: datetime | None) -> Update:
    return update(DayPlanRow).where(col(DayPlanRow.id) == plan_id).values(claimed_until=until)


async def _keep(database: Database, plan_id: UUID) -> None:
    while True:
        await asyncio.sleep(CLAIM_SECONDS / 3)
        await _say(database, plan_id, _in_a_while())


async def _say(database: Database, plan_id: UUID, until: datetime | None) -> None:
    """Where the database is away the claim runs out by itself."""
    with contextlib.suppress(*AWAY):
        async with database.transaction() as tx:
            await tx.session.execute(_until(plan_id, until))
