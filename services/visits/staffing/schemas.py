"""Replies about a change of people and what becomes of their open visits."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel

from services.visits.people.schemas import CollectorView, TeamView


class AffectedVisit(BaseModel):
    """An open visit that names the collector or the team, with the status that it has now."""

    visit_id: UUID
    case_id: UUID
    plan_id: UUID
    team_id: UUID
    day: date
    status: str


class StaffingView(BaseModel):
    """What became of open visits. `wanted_again`: cancelled, since fewer than two collectors are left for them; their
    cases are free for the next plan. `restaffed`: planned visits that go on with other members. `under_way`: sent
    already, and still open: they are stopped at the next step where fewer than two may go on; cancel them, or let the
    team report what happened."""

    wanted_again: list[AffectedVisit] = []
    restaffed: list[AffectedVisit] = []
    under_way: list[AffectedVisit] = []


class CollectorStaffingView(StaffingView):
    collector: CollectorView


class TeamStaffingView(StaffingView):
    team: TeamView
