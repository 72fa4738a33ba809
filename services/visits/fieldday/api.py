"""The route by which a team is sent on its whole day."""

from typing import Annotated
from uuid import UUID

from fastapi import Request

from services.visits.fieldday import dispatching
from services.visits.fieldday.schemas import RouteDispatchView
from services.visits.plans import usecases
from services.visits.settings import VisitsSettings
from shared.auth import Actor, Role, allow
from shared.web import SeenVersion, Tx, room

router = room("visits", tag="plans")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]


@router.post("/day-plans/{plan_id}/teams/{team_id}/dispatch")
async def dispatch_route(
    plan_id: UUID, team_id: UUID, request: Request, _actor: Supervisor, tx: Tx, seen: SeenVersion
) -> RouteDispatchView:
    """Send a team on its whole route. Each visit is judged by itself, and its outcome is answered: DISPATCHED, REFUSED
    with the problem, ALREADY_DISPATCHED or OVER. Sent again, it sends those that were refused, if they may go now."""
    plan = await usecases.lock(tx, plan_id)
    seen.check(plan.revision)
    settings = VisitsSettings.of(request.app.state.runtime.settings)
    return await dispatching.dispatch_route(tx, plan, team_id, settings)
