"""What the worker does with plans that cannot be made, on both databases: the plan fails in words, the worker lives."""

import pytest
from sqlalchemy import update
from sqlmodel import col

from services.visits.building import jobs
from services.visits.building.jobs import PLANS
from services.visits.caseload.tables import CaseloadRow
from shared.errors import Unavailable
from shared.job_runner import run_next
from tests.jobs import bring_forward, work_off
from tests.visits.conftest import MONDAY, taipei


async def asked(system, **wish) -> str:
    plan = await system.post("/day-plans", {"day": str(MONDAY), "seconds": 1} | wish, 202)
    return plan["id"]


@pytest.mark.dialect
async def test_a_plan_that_breaks_fails_alone_and_is_not_tried_for_ever(system):
    """A case that no code can judge stands in the first plan; the second one leaves it out."""
    await system.team()
    broken, other = await system.case(), await system.case()
    async with system.runtime.database.transaction() as tx:
        row = update(CaseloadRow).where(col(CaseloadRow.id) == broken)
        await tx.session.execute(row.values(time_zone="Nowhere/Land"))
        row = update(CaseloadRow).where(col(CaseloadRow.id) == other)
        await tx.session.execute(row.values(address_verified=False))
    first = await asked(system)
    second = await asked(system, case_ids=[str(other)])
    assert await work_off(system.runtime, PLANS) == PLANS.tries_max + 1
    failed = await system.get(f"/day-plans/{first}")
    assert (failed["status"], failed["problem"]) == ("FAILED", f"{jobs.BROKEN} (ZoneInfoNotFoundError)")
    assert (await system.get(f"/day-plans/{second}"))["status"] != "DRAFT"


@pytest.mark.dialect
async def test_what_is_away_is_waited_for(system, monkeypatch):
    await system.team()
    plan_id = await asked(system)

    async def away(*_):
        raise Unavailable("database-away", "The database does not answer now.")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(jobs, "_read", away)
        with pytest.raises(Unavailable):
            await run_next(system.runtime, PLANS)
    await bring_forward(system.runtime)
    assert (await system.get(f"/day-plans/{plan_id}"))["status"] == "DRAFT"
    assert await run_next(system.runtime, PLANS) == 1
    assert (await system.get(f"/day-plans/{plan_id}"))["status"] != "DRAFT"


async def test_a_plan_for_a_day_on_which_every_shift_is_over_says_so(system):
    await system.team()
    await system.case()
    await system.at(taipei(MONDAY, 20))
    plan_id = await asked(system, shift={"start": "09:00", "end": "18:00"})
    assert await run_next(system.runtime, PLANS) == 1
    plan = await system.get(f"/day-plans/{plan_id}")
    assert plan["status"] == "FAILED"
    assert "The shift of every team is over by now" in plan["problem"]
