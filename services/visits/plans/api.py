"""Routes of day plans."""

from typing import Annotated
from uuid import UUID

from fastapi import Response

from services.visits.plans import queries, usecases
from services.visits.plans.schemas import DayPlanBody, DayPlanView, LeftOutView
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, cursor_of, read_id, room

router = room("visits", tag="plans")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]


@router.post("/day-plans", status_code=202)
async def request_plan(body: DayPlanBody, response: Response, actor: Supervisor, tx: Tx) -> DayPlanView:
    """Ask for a plan of a day; it is made in the background: poll the Location."""
    row = await usecases.request_plan(tx, body, actor=actor)
    response.headers["Location"] = f"/visits/v1/day-plans/{row.id}"
    return queries.view(row)


@router.get("/day-plans/{plan_id}")
async def get_plan(plan_id: UUID, _actor: Supervisor, tx: ReadTx) -> DayPlanView:
    """A plan: how many visits, how far, and why others were left out."""
    return await queries.get_plan(tx, plan_id)


@router.get("/day-plans/{plan_id}/left-out")
async def list_left_out(plan_id: UUID, _actor: Supervisor, tx: ReadTx, page: Paging) -> Page[LeftOutView]:
    """Each wanted case that is not on the plan, with the reason, and the decision where a rule forbade it."""
    await queries.get_plan(tx, plan_id)
    items = await queries.list_left_out(tx, plan_id, after=read_id(page), limit=page.limit)
    return Page(items=items, next_cursor=cursor_of(str(items[-1].case_id)) if len(items) == page.limit else None)
