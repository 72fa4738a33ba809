"""Reads of collectors and teams."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.people.schemas import CollectorView, TeamView
from services.visits.people.tables import CollectorRow, TeamMemberRow, TeamRow
from shared.database import Transaction


def collector_view(row: CollectorRow) -> CollectorView:
    return CollectorView.model_validate(row.model_dump(include={"id", "status", "certificates", "last_assessed_on"}))


async def list_collectors(tx: Transaction, *, after: UUID | None, limit: int) -> list[CollectorView]:
    statement = select(CollectorRow).order_by(col(CollectorRow.id)).limit(limit)
    if after is not None:
        statement = statement.where(col(CollectorRow.id) > after)
    return [collector_view(row) for row in await tx.session.scalars(statement)]


async def list_teams(tx: Transaction, *, after: UUID | None, limit: int) -> list[TeamView]:
    statement = select(TeamRow).order_by(col(TeamRow.id)).limit(limit)
    if after is not None:
        statement = statement.where(col(TeamRow.id) > after)
    teams = (await tx.session.scalars(statement)).all()
    members = await tx.session.scalars(
        select(TeamMemberRow)
        .where(col(TeamMemberRow.team_id).in_([team.id for team in teams]))
        .order_by(col(TeamMemberRow.rank))
    )
    by_team: dict[UUID, list[UUID]] = {team.id: [] for team in teams}
    for member in members:
        by_team[member.team_id].append(member.collector_id)
    return [TeamView(id=team.id, name=team.name, collector_ids=by_team[team.id]) for team in teams]
