"""The steps of a solving as a stream: the plan that came of it is behind the last step."""

from uuid import UUID

import pytest

from services.visits.base import STREAMS
from services.visits.building.watching import add_progress
from services.visits.plans.queries import progress
from shared.errors import NotFound
from shared.ids import new_id
from tests.visits.conftest import MONDAY


async def after(system, plan_id, position):
    async with system.runtime.database.reading() as tx:
        batch = await progress(UUID(plan_id), tx, position)
    return [(item.position, item.kind) for item in batch.items], batch.ended


async def add(system, plan_id, seconds, cost):
    async with system.runtime.database.transaction() as tx:
        await add_progress(tx, UUID(plan_id), seconds, cost)


@pytest.mark.dialect
async def test_the_plan_comes_after_the_last_step_even_if_that_waits_for_its_position(system):
    await system.team()
    plan_id = (await system.post("/day-plans", {"day": str(MONDAY)}, 202))["id"]
    await add(system, plan_id, 1.04, 900)
    await STREAMS.timer().run(system.runtime)
    await add(system, plan_id, 2.0, 800)
    assert await after(system, plan_id, 0) == ([(1, "progress")], False)
    await system.post(f"/day-plans/{plan_id}/cancel")
    assert await after(system, plan_id, 1) == ([], False)
    await STREAMS.timer().run(system.runtime)
    assert await after(system, plan_id, 0) == ([(1, "progress"), (2, "progress"), (2, "done")], True)
    assert await after(system, plan_id, 2) == ([(2, "done")], True)


async def test_a_plan_that_is_not_there_has_no_progress(system):
    with pytest.raises(NotFound):
        await after(system, str(new_id()), 0)
