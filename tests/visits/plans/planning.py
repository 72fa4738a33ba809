"""A plan from the request to the visits, without a process of its own and without the service cases: positions are made
up, and insertion plans the day."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from services.visits.building import jobs
from services.visits.candidates.clients import CasesClient
from services.visits.routing.insertion import plan_by_insertion
from services.visits.routing.reasons import explained, impossible, without
from shared.job_runner import run_next
from tests.visits.conftest import MONDAY, System


class InsertionPlanner:
    async def plan(self, day, effort, progress=lambda cost: None):
        before = impossible(day)
        return explained(day, plan_by_insertion(without(day, before), effort), before)

    @asynccontextmanager
    async def ahead(self, effort) -> AsyncIterator["InsertionPlanner"]:
        yield self


def plan_here(monkeypatch) -> None:
    """Make plans in this process, with each case a little further north than the one before."""

    async def positions(self, case_ids):
        return {case_id: (25.03 + number / 500, 121.56) for number, case_id in enumerate(sorted(case_ids))}

    monkeypatch.setattr(CasesClient, "positions", positions)
    monkeypatch.setattr(jobs, "PLANNER", InsertionPlanner())


async def planned(system: System, path: str = "/day-plans", **wish: Any) -> dict[str, Any]:
    """Ask for a plan, of Monday unless it replaces another, and have it made."""
    day = {} if path.endswith("/replan") else {"day": str(MONDAY)}
    asked = await system.post(path, day | {"iterations": 1} | wish, 202)
    assert await run_next(system.runtime, jobs.PLANS) == 1
    plan: dict[str, Any] = await system.get(f"/day-plans/{asked['id']}")
    assert plan["status"] in ("PUBLISHED", "SOLVED"), plan["problem"]
    return plan


async def visits_of(system: System, plan: dict[str, Any]) -> dict[UUID, dict[str, Any]]:
    """The planned visits, by case."""
    found = await system.get("/visits", plan_id=plan["id"], status="PLANNED")
    return {UUID(each["case_id"]): each for each in found["items"]}


async def left_out(system: System, plan: dict[str, Any]) -> dict[UUID, str]:
    """Why cases are not on a plan."""
    found = await system.get(f"/day-plans/{plan['id']}/left-out")
    assert all(each["en"] != each["zh"] for each in found["items"])
    counted = {each["reason"]: each["count"] for each in plan["left_out"]}
    reasons = [each["rule_id"] or each["reason"] for each in found["items"]]
    assert counted == {reason: reasons.count(reason) for reason in reasons}
    return {UUID(each["case_id"]): each["reason"] for each in found["items"]}
