"""Several workers and a few drafts, on both databases: each draft is made by one worker, and one that a worker died of
is made by another."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.visits.plans.claiming import CLAIM_SECONDS, _claim, claimed_draft
from services.visits.plans.tables import DayPlanRow
from shared.clock import system_now
from shared.errors import Unavailable
from tests.visits.conftest import MONDAY


async def drafts(system, count: int) -> list[str]:
    await system.team()
    return [(await system.post("/day-plans", {"day": str(MONDAY)}, 202))["id"] for _ in range(count)]


async def test_each_draft_is_claimed_by_one_worker_the_oldest_first(system):
    wanted = await drafts(system, 2)
    async with AsyncExitStack() as workers:
        at_work = [workers.enter_async_context(claimed_draft(system.runtime.database)) for _ in range(4)]
        claimed = [str(plan_id) for plan_id in await asyncio.gather(*at_work) if plan_id is not None]
        assert sorted(claimed) == wanted
        async with claimed_draft(system.runtime.database) as none:
            assert none is None


@pytest.mark.dialect
async def test_a_draft_that_could_not_be_made_is_free_at_once(system):
    [wanted] = await drafts(system, 1)
    with pytest.raises(Unavailable):
        async with claimed_draft(system.runtime.database):
            raise Unavailable("cases-unreachable", "The service cases does not answer.")
    async with claimed_draft(system.runtime.database) as again:
        assert str(again) == wanted


@pytest.mark.dialect
async def test_a_draft_of_a_worker_that_died_is_free_when_its_claim_has_run_out(system):
    await drafts(system, 1)
    first = await _claim(system.runtime.database)
    assert first is not None
    assert await _claim(system.runtime.database) is None
    long_ago = system_now() - timedelta(seconds=CLAIM_SECONDS)
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(DayPlanRow).values(claimed_until=long_ago))
    async with claimed_draft(system.runtime.database) as again:
        assert again == first


@pytest.mark.dialect
async def test_what_is_no_draft_any_more_is_not_claimed(system):
    [wanted] = await drafts(system, 1)
    await system.post(f"/day-plans/{wanted}/cancel")
    async with claimed_draft(system.runtime.database) as none:
        assert none is None
