"""Reads of collectors and teams. Names, reasons and values of changes are opened for those who may read them."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlmodel import col

from services.visits.people import domain, sealed
from services.visits.people.domain import CollectorStatus
from services.visits.people.schemas import (
    CollectorChangeView,
    CollectorFileView,
    CollectorView,
    LaterMembersView,
    TeamMembersView,
    TeamView,
)
from services.visits.people.tables import CollectorChangeRow, CollectorRow, TeamMembersRow, TeamRow
from shared.database import Transaction
from shared.errors import NotFound
from shared.listing import page_of


async def collector_view(tx: Transaction, row: CollectorRow) -> CollectorView:
    return CollectorView.model_validate(_shown(row, await sealed.name_of(tx, row)))


async def collector_file(tx: Transaction, row: CollectorRow) -> CollectorFileView:
    """The collector with all facts."""
    return CollectorFileView.model_validate(_shown(row, await sealed.name_of(tx, row)))


def _shown(row: CollectorRow, name: str) -> dict[str, object]:
    known = row.model_dump(exclude={"sealed_name", "statuses", "version"})
    return known | {"name": name, "off_duty": row.status in domain.OFF_DUTY}


async def get_collector(tx: Transaction, collector_id: UUID) -> CollectorRow:
    """Raises NotFound."""
    row = await tx.session.get(CollectorRow, collector_id)
    if row is None:
        raise NotFound("collector-not-found", "There is no such collector here.")
    return row


async def list_collectors(
    tx: Transaction, *, status: CollectorStatus | None, after: UUID | None, limit: int
) -> list[CollectorView]:
    statement = select(CollectorRow)
    if status is not None:
        statement = statement.where(col(CollectorRow.status) == status)
    statement = page_of(statement, col(CollectorRow.id), after=after, limit=limit)
    rows = (await tx.session.scalars(statement)).all()
    names = await sealed.names_of(tx, rows)
    return [CollectorView.model_validate(_shown(row, name)) for row, name in zip(rows, names, strict=True)]


async def list_changes(
    tx: Transaction, collector_id: UUID, *, after: UUID | None, limit: int
) -> list[CollectorChangeView]:
    """What was changed about a collector, the oldest first. Raises NotFound."""
    await get_collector(tx, collector_id)
    statement = select(CollectorChangeRow).where(col(CollectorChangeRow.collector_id) == collector_id)
    statement = page_of(statement, col(CollectorChangeRow.id), after=after, limit=limit)
    changes = (await tx.session.scalars(statement)).all()
    opened = await sealed.details_of(tx, changes)
    return [_change_view(change, details) for change, details in zip(changes, opened, strict=True)]


def _change_view(change: CollectorChangeRow, details: Mapping[str, Any]) -> CollectorChangeView:
    known = change.model_dump(include={"id", "what", "fields", "made_by", "made_at"})
    return CollectorChangeView.model_validate({"reason": None, **known, **details})


async def team_view(tx: Transaction, team: TeamRow, day: date) -> TeamView:
    [view] = await _views(tx, [team], day)
    return view


async def get_team(tx: Transaction, team_id: UUID) -> TeamRow:
    """Raises NotFound."""
    row = await tx.session.get(TeamRow, team_id)
    if row is None:
        raise NotFound("team-not-found", "There is no such team here.")
    return row


async def list_teams(tx: Transaction, *, day: date, after: UUID | None, limit: int) -> list[TeamView]:
    statement = select(TeamRow)
    statement = page_of(statement, col(TeamRow.id), after=after, limit=limit)
    return await _views(tx, (await tx.session.scalars(statement)).all(), day)


async def _views(tx: Transaction, teams: Iterable[TeamRow], day: date) -> list[TeamView]:
    teams = list(teams)
    rows = (await tx.session.scalars(_versions([team.id for team in teams]))).all()
    members = domain.members_on(rows, day)
    later: dict[UUID, list[LaterMembersView]] = {team.id: [] for team in teams}
    for row in sorted(rows, key=lambda row: (row.from_day, row.id)):
        if row.from_day > day:
            view = LaterMembersView(from_day=row.from_day, collector_ids=list(map(UUID, row.collector_ids)))
            later[row.team_id].append(view)
    return [
        TeamView(id=team.id, name=team.name, collector_ids=members.get(team.id, []), later=later[team.id])
        for team in teams
    ]


def _versions(team_ids: list[UUID]) -> Select[TeamMembersRow]:
    return select(TeamMembersRow).where(col(TeamMembersRow.team_id).in_(team_ids))


async def list_members(tx: Transaction, team_id: UUID, *, after: UUID | None, limit: int) -> list[TeamMembersView]:
    """The changes of a team's members, the oldest first. Raises NotFound."""
    await get_team(tx, team_id)
    statement = _versions([team_id])
    statement = page_of(statement, col(TeamMembersRow.id), after=after, limit=limit)
    rows = (await tx.session.scalars(statement)).all()
    reasons = await sealed.reasons_of(tx, rows)
    return [_members_view(row, reasons.get(row.id)) for row in rows]


def _members_view(row: TeamMembersRow, reason: str | None) -> TeamMembersView:
    known = row.model_dump(include={"id", "from_day", "collector_ids", "made_by", "made_at"})
    return TeamMembersView.model_validate(known | {"reason": reason})
