"""Routes that change people and their open visits: suspend, reinstate, leave, clear; other members of a team."""

from typing import Annotated
from uuid import UUID

from services.visits.people import queries as people
from services.visits.people.domain import Action
from services.visits.people.schemas import TeamMembersBody
from services.visits.staffing import usecases
from services.visits.staffing.schemas import CollectorStaffingView, TeamStaffingView
from shared.auth import Actor, Role, allow
from shared.bodies import ReasonBody
from shared.web import Tx, room

router = room("visits", tag="people")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR, Role.ADMIN)]


async def _change(tx: Tx, collector_id: UUID, action: Action, body: ReasonBody, actor: Actor) -> CollectorStaffingView:
    row, became = await usecases.change_status(tx, collector_id, action, body.reason, actor=actor)
    return CollectorStaffingView(collector=await people.collector_view(tx, row), **became.views())


@router.post("/collectors/{collector_id}/suspend")
async def suspend(collector_id: UUID, body: ReasonBody, actor: Supervisor, tx: Tx) -> CollectorStaffingView:
    """Suspend a collector: no plan, dispatch, departure or check-in from now on. Planned visits go on with the other
    members, or are cancelled and wanted again. The same suspension again changes nothing."""
    return await _change(tx, collector_id, Action.SUSPEND, body, actor)


@router.post("/collectors/{collector_id}/reinstate")
async def reinstate(collector_id: UUID, body: ReasonBody, actor: Supervisor, tx: Tx) -> CollectorStaffingView:
    """End a suspension: the collector has the status from before it. 409 `collector-left` for one who left."""
    return await _change(tx, collector_id, Action.REINSTATE, body, actor)


@router.post("/collectors/{collector_id}/leave")
async def leave(collector_id: UUID, body: ReasonBody, actor: Supervisor, tx: Tx) -> CollectorStaffingView:
    """The collector leaves, for good. Open visits go on or are wanted again, as after a suspension."""
    return await _change(tx, collector_id, Action.LEAVE, body, actor)


@router.post("/collectors/{collector_id}/clear")
async def clear(collector_id: UUID, body: ReasonBody, actor: Supervisor, tx: Tx) -> CollectorStaffingView:
    """Clear a candidate, who may be sent from now on."""
    return await _change(tx, collector_id, Action.CLEAR, body, actor)


@router.post("/teams/{team_id}/members")
async def change_members(team_id: UUID, body: TeamMembersBody, actor: Supervisor, tx: Tx) -> TeamStaffingView:
    """Other members of a team from a day on. Plans of a day have the members of that day; planned visits of these days
    go on with the new members, visits under way with those who were sent. Without members the team is off duty. 409 for
    a collector who is on another team of the same day."""
    team, became = await usecases.change_members(tx, team_id, body, actor=actor)
    return TeamStaffingView(team=await people.team_view(tx, team, body.from_day), **became.views())
