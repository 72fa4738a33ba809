"""Routes of what is looked at and printed: the map of a plan, and the sheet of a team."""

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.visits.pages import views
from services.visits.pages.schemas import FeatureCollection
from services.visits.routing.map import geojson, page
from shared.auth import Actor, Role, allow
from shared.web import room

router = room("visits", tag="plans")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]
TeamReader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COLLECTOR)]


@router.get("/day-plans/{plan_id}/geojson")
async def get_geojson(plan_id: UUID, request: Request, actor: Supervisor) -> FeatureCollection:
    """The routes as GeoJSON: positions and times, no names. The trail records who reads where debtors live.
    410 `plan-basis-deleted` from seven days after the plan's day."""
    picture = await views.picture(request.app.state.runtime, plan_id, actor)
    return FeatureCollection.model_validate(geojson(picture))


@router.get("/day-plans/{plan_id}/map", response_class=HTMLResponse)
async def get_map(plan_id: UUID, request: Request, actor: Supervisor) -> HTMLResponse:
    """The routes as a page that needs nothing from outside. The trail records who reads where debtors live. 410
    `plan-basis-deleted` from seven days after the plan's day."""
    return HTMLResponse(page(await views.picture(request.app.state.runtime, plan_id, actor)))


@router.get("/day-plans/{plan_id}/teams/{team_id}/sheet", response_class=HTMLResponse)
async def get_sheet(plan_id: UUID, team_id: UUID, request: Request, actor: TeamReader) -> HTMLResponse:
    """A team's open visits to print, with the debtors' names and addresses, without those on hold. The team gets it on
    its day and the evening before, a supervisor from the publication to the end of the day; past days are 404. Each
    trail records the dossier that is read for it."""
    return HTMLResponse(await views.sheet(request.app.state.runtime, plan_id, team_id, actor))
