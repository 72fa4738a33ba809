"""Routes of day plans: ask, watch, look, change, publish."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.visits.plans import queries, usecases
from services.visits.plans.domain import PlanStatus
from services.visits.plans.publishing import publish
from services.visits.plans.schemas import (
    ChangesView,
    DayPlanBody,
    DayPlanView,
    LeftOutView,
    MoveBody,
    ReplanBody,
    RevisionView,
    RouteView,
)
from shared.auth import Actor, Role, allow
from shared.law import StatedDay
from shared.web import LongPaging, Page, Paging, ReadTx, SeenVersion, Tx, etag, room
from shared.web.streams import LastEventId, Reading, begin, follow

router = room("visits", tag="plans")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]


@router.post("/day-plans", status_code=202)
async def request_plan(body: DayPlanBody, response: Response, actor: Supervisor, tx: Tx) -> DayPlanView:
    """Ask for a plan of a day; it is made in the background: poll the Location, or watch its progress."""
    row = await usecases.request_plan(tx, body, actor=actor)
    response.headers["Location"] = f"/visits/v1/day-plans/{row.id}"
    return queries.view(row)


@router.get("/day-plans")
async def list_plans(
    _actor: Supervisor, tx: ReadTx, page: Paging, day: StatedDay | None = None, status: PlanStatus | None = None
) -> Page[DayPlanView]:
    """Plans in the order in which they were asked for."""
    items = await queries.list_plans(tx, day=day, status=status, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/day-plans/{plan_id}")
async def get_plan(plan_id: UUID, _actor: Supervisor, tx: ReadTx, response: Response) -> DayPlanView:
    """A plan: how many visits, how far, why others were left out, and what changed against the one before."""
    row = await queries.get_row(tx, plan_id)
    response.headers["ETag"] = etag(row.revision)
    return queries.view(row)


async def _progress(plan_id: UUID, _actor: Supervisor, tx: ReadTx, last: LastEventId) -> Reading:
    after = await queries.start_of_progress(tx, plan_id) if last is None else last
    return await begin(tx, partial(queries.progress, plan_id), after)


@router.get("/day-plans/{plan_id}/progress", response_class=EventSourceResponse)
async def watch(
    request: Request, actor: Supervisor, reading: Annotated[Reading, Depends(_progress)]
) -> AsyncIterator[ServerSentEvent]:
    """The solving as it goes, as server-sent events: each better cost, then the plan; at most until the token ends. A
    client that comes back with Last-Event-ID misses nothing. Steps are kept for seven days."""
    async for event in follow(request, actor, reading):
        yield event


@router.get("/day-plans/{plan_id}/routes")
async def list_routes(plan_id: UUID, _actor: Supervisor, tx: ReadTx, page: LongPaging) -> Page[RouteView]:
    """Each team's stops in order: times, lawful windows, what each visit is worth and why, and whether it is held.
    409 `plan-not-solved` before there are any, 410 `plan-basis-deleted` from seven days after the plan's day."""
    plan = await queries.get_row(tx, plan_id)
    row, basis = await usecases.load_basis(tx, plan)
    held = await queries.held_on(tx, plan_id, row.routes)
    items = queries.list_routes(basis, row.routes, held, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.team_id)


@router.get("/day-plans/{plan_id}/left-out")
async def list_left_out(plan_id: UUID, _actor: Supervisor, tx: ReadTx, page: Paging) -> Page[LeftOutView]:
    """Each wanted case that is not on the plan, with the reason, and the decision where a rule forbade it."""
    await queries.get_row(tx, plan_id)
    items = await queries.list_left_out(tx, plan_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.case_id)


@router.get("/day-plans/{plan_id}/revisions")
async def list_revisions(plan_id: UUID, _actor: Supervisor, tx: ReadTx, page: LongPaging) -> Page[RevisionView]:
    """What was done to the plan, when and by whom."""
    await queries.get_row(tx, plan_id)
    items = await queries.list_revisions(tx, plan_id, after=page.after(int), limit=page.fetch)
    return page.of(items, key=lambda item: item.revision)


@router.post("/day-plans/{plan_id}/move")
async def move(
    plan_id: UUID, body: MoveBody, response: Response, actor: Supervisor, tx: Tx, seen: SeenVersion
) -> ChangesView:
    """Move a visit of a solved plan to another team or position, or take it off; checked at once. 410
    `plan-basis-deleted` from seven days after the plan's day."""
    plan = await usecases.lock(tx, plan_id)
    seen.check(plan.revision)
    changes = await usecases.move(tx, plan, body, actor=actor)
    response.headers["ETag"] = etag(plan.revision)
    return queries.changes_view(changes)


@router.post("/day-plans/{plan_id}/publish")
async def publish_plan(plan_id: UUID, response: Response, _actor: Supervisor, tx: Tx, seen: SeenVersion) -> DayPlanView:
    """Let the visits of a solved plan stand. 409 where a team has another plan on that day, 410
    `plan-basis-deleted` from seven days after the plan's day."""
    plan = await usecases.lock(tx, plan_id)
    seen.check(plan.revision)
    row, basis = await usecases.load_basis(tx, plan)
    await publish(tx, plan, row, basis)
    plan.problem = None
    response.headers["ETag"] = etag(plan.revision)
    return queries.view(plan)


@router.post("/day-plans/{plan_id}/replan", status_code=202)
async def replan(
    plan_id: UUID, body: ReplanBody, response: Response, actor: Supervisor, tx: Tx, seen: SeenVersion
) -> DayPlanView:
    """The day turned out otherwise: ask for a plan that replaces this one. What is done stays, promises are kept."""
    old = await usecases.lock(tx, plan_id)
    seen.check(old.revision)
    row = await usecases.replan(tx, old, body, actor=actor)
    response.headers["Location"] = f"/visits/v1/day-plans/{row.id}"
    return queries.view(row)


@router.post("/day-plans/{plan_id}/freeze")
async def freeze(plan_id: UUID, response: Response, actor: Supervisor, tx: Tx, seen: SeenVersion) -> DayPlanView:
    """Freeze the plan: it cannot change any more. Its visits go on."""
    plan = await usecases.lock(tx, plan_id)
    seen.check(plan.revision)
    await usecases.freeze(tx, plan, actor=actor)
    response.headers["ETag"] = etag(plan.revision)
    return queries.view(plan)


@router.post("/day-plans/{plan_id}/cancel")
async def cancel(plan_id: UUID, actor: Supervisor, tx: Tx, seen: SeenVersion) -> DayPlanView:
    """Give up a plan that is being solved or was not published."""
    plan = await usecases.lock_with_job(tx, plan_id)
    seen.check(plan.revision)
    await usecases.cancel(tx, plan, actor=actor)
    return queries.view(plan)
