"""Send a team on its whole route in one action. The law judges each visit by itself: one that is refused stays planned,
its decision is kept, and the others go."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.caseload.tables import CaseloadRow
from services.visits.fieldday.schemas import DispatchedVisitView, DispatchOutcome, RouteDispatchView
from services.visits.plans import domain
from services.visits.plans.domain import PlanStatus
from services.visits.plans.tables import DayPlanRow
from services.visits.settings import VisitsSettings
from services.visits.visit import refusals
from services.visits.visit import usecases as visits
from services.visits.visit.domain import UNDER_WAY, VisitStatus
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.errors import Conflict, NotFound


async def dispatch_route(
    tx: Transaction, plan: DayPlanRow, team_id: UUID, settings: VisitsSettings
) -> RouteDispatchView:
    """Send the planned visits of a team. The plan is locked. Raises NotFound for a team without visits on the plan,
    Conflict for a plan that is not published."""
    domain.check_status(plan.status, [PlanStatus.PUBLISHED, PlanStatus.FROZEN], to="dispatched")
    route = await _lock_route(tx, plan.id, team_id)
    if not route:
        raise NotFound("route-not-found", "This team has no visits on this plan.")
    cases = await caseload.lock_persons(tx, [visit.case_id for visit in route])
    items = [await _outcome(tx, visit, cases[visit.case_id], settings) for visit in route]
    counts = [item.outcome for item in items]
    return RouteDispatchView(
        plan_id=plan.id,
        team_id=team_id,
        dispatched=counts.count(DispatchOutcome.DISPATCHED),
        refused=counts.count(DispatchOutcome.REFUSED),
        items=items,
    )


async def _lock_route(tx: Transaction, plan_id: UUID, team_id: UUID) -> Sequence[VisitRow]:
    """The visits of a team on a plan, locked in the order of their ids, in the order of the route."""
    rows = await tx.session.scalars(
        select(VisitRow)
        .where(col(VisitRow.plan_id) == plan_id, col(VisitRow.team_id) == team_id)
        .order_by(col(VisitRow.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return sorted(rows, key=lambda visit: (visit.place_in_route, visit.window_start, visit.id))


async def _outcome(
    tx: Transaction, visit: VisitRow, case: CaseloadRow, settings: VisitsSettings
) -> DispatchedVisitView:
    """Visits are judged one after the other: one that was sent counts for the caps of the next."""
    problem: dict[str, Any] | None = None
    if visit.status == VisitStatus.PLANNED:
        problem = await _send(tx, visit, case, settings)
        outcome = DispatchOutcome.REFUSED if problem else DispatchOutcome.DISPATCHED
    else:
        outcome = DispatchOutcome.ALREADY_DISPATCHED if visit.status in UNDER_WAY else DispatchOutcome.OVER
    return DispatchedVisitView(
        visit_id=visit.id,
        case_id=visit.case_id,
        place_in_route=visit.place_in_route,
        outcome=outcome,
        status=visit.status,
        problem=problem,
    )


async def _send(tx: Transaction, visit: VisitRow, case: CaseloadRow, settings: VisitsSettings) -> dict[str, Any] | None:
    """Send one visit. Returns the problem where it is refused."""
    try:
        sent = await visits.dispatch(tx, visit, case, settings)
    except Conflict as conflict:
        return {"code": conflict.code, "detail": conflict.detail, **conflict.fields}
    return refusals.fields_of(sent.judged, sent.off) if sent.judged.blocked else None
