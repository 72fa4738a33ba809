"""A collector's status or a team's members change, and their open visits with them, in one transaction."""

from uuid import UUID

from services.visits.people import teams
from services.visits.people import usecases as people
from services.visits.people.domain import OFF_DUTY, Action
from services.visits.people.schemas import TeamMembersBody
from services.visits.people.tables import CollectorRow, TeamRow
from services.visits.visit import restaffing
from services.visits.visit.restaffing import Restaffed
from shared.auth import Actor
from shared.database import Transaction


async def change_status(
    tx: Transaction, collector_id: UUID, action: Action, reason: str, *, actor: Actor
) -> tuple[CollectorRow, Restaffed]:
    """Change a collector's status. Where the collector is off duty then, planned visits go on with the other members,
    or are cancelled. Raises NotFound or Conflict. The teams are locked, so that no plan gives them work meanwhile."""
    row = await people.lock_collector(tx, collector_id)
    await people.change_status(tx, row, action, reason, actor=actor)
    if row.status not in OFF_DUTY:
        return row, Restaffed()
    await tx.session.flush()
    team_ids = await teams.teams_of(tx, collector_id)
    await teams.lock_teams(tx, team_ids)
    visits = await restaffing.lock_open_visits(tx, team_ids)
    mine = [visit for visit in visits if collector_id in visit.team]
    off = await teams.off_duty(tx, {each for visit in mine for each in visit.team}, tx.now)
    away = {each.collector_id for each in off}
    wanted = {visit.id: [each for each in visit.team if each not in away] for visit in mine}
    return row, await restaffing.restaff(tx, mine, wanted)


async def change_members(
    tx: Transaction, team_id: UUID, body: TeamMembersBody, *, actor: Actor
) -> tuple[TeamRow, Restaffed]:
    """Give a team other members from a day on; its planned visits of these days go on with them. Raises NotFound,
    Invalid or Conflict."""
    team = await teams.change_members(tx, team_id, body, actor=actor)
    visits = [visit for visit in await restaffing.lock_open_visits(tx, [team_id]) if visit.day >= body.from_day]
    on_day = {day: (await teams.crews_on(tx, [team_id], day)).get(team_id, []) for day in {v.day for v in visits}}
    return team, await restaffing.restaff(tx, visits, {visit.id: on_day[visit.day] for visit in visits})
