"""Routes of a visit: its life, and what is written down of it."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from services.visits.gate.usecases import Judged
from services.visits.people.domain import OffDuty
from services.visits.settings import VisitsSettings
from services.visits.visit import abort as breaking_off
from services.visits.visit import arrival, completion, queries, refusals, supplements, unknown, usecases
from services.visits.visit.domain import VisitStatus
from services.visits.visit.schemas import (
    OF_THE_ATTEMPT,
    AbortVisitBody,
    CancelVisitBody,
    CheckInBody,
    CompletedView,
    CompleteVisitBody,
    IncompleteRecordView,
    ReportedView,
    SupplementBody,
    VisitView,
)
from shared.auth import Actor, Role, allow
from shared.errors import NotFound
from shared.law import StatedDay
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, body_with, etag, room
from shared.web.problems import problem

router = room("visits", tag="visits")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]
Field = Annotated[Actor, allow(Role.COLLECTOR, Role.SUPERVISOR)]
report = body_with(of_the_attempt=OF_THE_ATTEMPT)
Reader = Annotated[Actor, allow(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


def _settings(request: Request) -> VisitsSettings:
    return VisitsSettings.of(request.app.state.runtime.settings)


def refused(judged: Judged, off: Sequence[OffDuty] = (), **fields: Any) -> JSONResponse:
    """The answer to a step that the gate stopped; where collectors are off duty, with that as its code."""
    return problem(409, **refusals.fields_of(judged, off), **fields)


@router.get("/visits")
async def list_visits(
    actor: Reader,
    tx: ReadTx,
    page: Paging,
    plan_id: UUID | None = None,
    team_id: UUID | None = None,
    case_id: UUID | None = None,
    collector_id: UUID | None = None,
    status: VisitStatus | None = None,
    day: StatedDay | None = None,
) -> Page[VisitView]:
    """Visits in the order in which they were planned. A collector sees the own ones."""
    own = _collector_id(actor) if actor.has(Role.COLLECTOR) else None
    collectors = tuple(each for each in (own, collector_id) if each is not None)
    wanted = queries.VisitFilter(plan_id, team_id, case_id, status, day, collectors)
    items = await queries.list_visits(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


def _collector_id(actor: Actor) -> UUID:
    try:
        return UUID(actor.subject)
    except ValueError:
        raise NotFound("collector-not-found", "This token does not name a collector that is known here.") from None


@router.get("/incomplete-records")
async def list_incomplete_records(
    _actor: Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE)], tx: ReadTx, page: Paging
) -> Page[IncompleteRecordView]:
    """The work-list of completed visits whose records lack proofs, by name. Nothing may be invented afterwards."""
    items = await queries.list_incomplete(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/overdue-records")
async def list_overdue_records(
    _actor: Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE)], tx: ReadTx, page: Paging
) -> Page[VisitView]:
    """The work-list of visits that began, and of which nothing was written down by the end of their day. A phone may
    still report; a supervisor completes or aborts the visit with an `entry_reason`."""
    items = await queries.list_overdue(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/visits/{visit_id}")
async def get_visit(visit_id: UUID, actor: Reader, tx: ReadTx, response: Response) -> VisitView:
    """One visit."""
    visit = await usecases.find(tx, visit_id, seen_by=actor)
    response.headers["ETag"] = etag(visit.version)
    return await queries.view_of(tx, visit)


@router.post("/visits/{visit_id}/dispatch", response_model=VisitView)
async def dispatch(
    visit_id: UUID, request: Request, actor: Supervisor, tx: Tx, seen: SeenVersion
) -> VisitView | JSONResponse:
    """Send the team. 409 with the rule, its inputs and source where the law forbids it; that decision is kept."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    seen.check(visit.version)
    sent = await usecases.dispatch(tx, visit, case, _settings(request))
    return refused(sent.judged, sent.off) if sent.judged.blocked else await queries.view_of(tx, visit)


@router.post("/visits/{visit_id}/depart")
async def depart(visit_id: UUID, actor: Field, tx: Tx) -> VisitView:
    """The team that was sent sets out: DISPATCHED becomes EN_ROUTE. Asked again, it changes nothing."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    await usecases.depart(tx, visit, case, actor=actor)
    return await queries.view_of(tx, visit)


@router.post("/visits/{visit_id}/check-in", response_model=ReportedView, dependencies=[report])
async def check_in(
    visit_id: UUID, body: CheckInBody, request: Request, actor: Field, tx: Tx
) -> ReportedView | JSONResponse:
    """A collector has arrived. The visit starts when two have; the gate judges that moment. Times are corrected by the
    clock error that `device_now` shows. `warnings` names what is odd about times, clock and position, and fields that
    are unknown here: they are stored sealed."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    arrived = await arrival.check_in(tx, visit, case, body, actor=actor, settings=_settings(request))
    warnings = arrived.warnings + await unknown.store(tx, visit, "check-in", body, actor=actor)
    if arrived.judged and arrived.judged.blocked:
        return refused(arrived.judged, arrived.off, warnings=[each.model_dump() for each in warnings])
    return ReportedView(**dict(await queries.view_of(tx, visit)), warnings=warnings)


@router.post("/visits/{visit_id}/complete", dependencies=[report])
async def complete_visit(
    visit_id: UUID, body: CompleteVisitBody, request: Request, actor: Field, tx: Tx
) -> CompletedView:
    """Write down what happened at the door. Missing proofs are named; the record is kept in any case. The same record
    again answers the stored visit; another one is 409 `already-completed`, and `differs` names the fields. `warnings`
    names odd times, and fields that are unknown here: they are stored sealed."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    warnings = await completion.complete(tx, visit, case, body, actor=actor, settings=_settings(request))
    warnings += await unknown.store(tx, visit, "complete", body, actor=actor)
    return queries.completed_view(visit, warnings)


@router.post("/visits/{visit_id}/supplements", dependencies=[report])
async def supplement(visit_id: UUID, body: SupplementBody, actor: Field, tx: Tx) -> CompletedView:
    """Add proofs that the record of a completed visit lacks. They are marked as late, and the record is judged again;
    the incident stays. 409 `already-recorded` where the record says otherwise."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    warnings = await supplements.supplement(tx, visit, case, body, actor=actor)
    warnings += await unknown.store(tx, visit, supplements.name_of(body), body, actor=actor)
    return queries.completed_view(visit, warnings)


@router.post("/visits/{visit_id}/abort", dependencies=[report])
async def abort(visit_id: UUID, body: AbortVisitBody, actor: Field, tx: Tx) -> ReportedView:
    """Break a visit off, for a coded reason; safety first. Its case is wanted again from the next day on; after
    SAFETY_ABORT only with a new SAFETY_PLAN. The same report again answers the stored visit; another one is 409
    `already-aborted`. `warnings` names odd times, and fields that are unknown here: they are stored sealed."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    warnings = await breaking_off.abort(tx, visit, case, body, actor=actor)
    warnings += await unknown.store(tx, visit, "abort", body, actor=actor)
    return ReportedView(**dict(queries.view(visit)), warnings=warnings)


@router.post("/visits/{visit_id}/cancel")
async def cancel(visit_id: UUID, body: CancelVisitBody, actor: Supervisor, tx: Tx) -> VisitView:
    """Take a visit off before anybody comes to the door."""
    visit, case = await usecases.lock(tx, visit_id, seen_by=actor)
    await usecases.cancel(tx, visit, case, body.reason)
    return queries.view(visit)
