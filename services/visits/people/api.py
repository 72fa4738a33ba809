"""Routes of collectors and teams. What changes their open visits, too, is the room staffing's."""

from typing import Annotated
from uuid import UUID

from fastapi import Response

from services.visits.people import queries, teams, usecases
from services.visits.people.domain import FIRST_DAY, CollectorStatus
from services.visits.people.schemas import (
    CertificateBody,
    CollectorBody,
    CollectorChangeView,
    CollectorFileView,
    CollectorView,
    CorrectionBody,
    TeamBody,
    TeamMembersView,
    TeamView,
)
from shared.auth import Actor, Role, allow
from shared.law import StatedDay
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, etag, room

router = room("visits", tag="people")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR, Role.ADMIN)]
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.post("/collectors", status_code=201)
async def register_collector(body: CollectorBody, _actor: Supervisor, tx: Tx) -> CollectorView:
    """Register a collector with what is known about them."""
    return await queries.collector_view(tx, await usecases.register_collector(tx, body))


@router.get("/collectors")
async def list_collectors(
    _actor: Reader, tx: ReadTx, page: Paging, status: CollectorStatus | None = None
) -> Page[CollectorView]:
    """Collectors with their names, for the desk and compliance staff."""
    items = await queries.list_collectors(tx, status=status, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/collectors/{collector_id}")
async def get_collector(collector_id: UUID, response: Response, _actor: Reader, tx: ReadTx) -> CollectorFileView:
    """A collector with all facts that the law asks for."""
    row = await queries.get_collector(tx, collector_id)
    response.headers["ETag"] = etag(row.version)
    return await queries.collector_file(tx, row)


@router.post("/collectors/{collector_id}/correct")
async def correct_collector(
    collector_id: UUID,
    body: CorrectionBody,
    response: Response,
    actor: Supervisor,
    tx: Tx,
    seen: SeenVersion,
) -> CollectorFileView:
    """Correct facts of a collector. Old and new values stay in the collector's history."""
    row = await usecases.lock_collector(tx, collector_id)
    seen.check(row.version)
    await usecases.correct(tx, row, body, actor=actor)
    response.headers["ETag"] = etag(row.version)
    return await queries.collector_file(tx, row)


@router.post("/collectors/{collector_id}/certificates", status_code=201)
async def add_certificate(collector_id: UUID, body: CertificateBody, actor: Supervisor, tx: Tx) -> CollectorView:
    """Record a certificate."""
    row = await usecases.lock_collector(tx, collector_id)
    await usecases.add_certificate(tx, row, body, actor=actor)
    return await queries.collector_view(tx, row)


@router.get("/collectors/{collector_id}/history")
async def list_collector_changes(
    collector_id: UUID, _actor: Reader, tx: ReadTx, page: Paging
) -> Page[CollectorChangeView]:
    """What was changed about a collector: who, when, why, old and new values; the oldest first."""
    items = await queries.list_changes(tx, collector_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.post("/teams", status_code=201)
async def form_team(body: TeamBody, actor: Supervisor, tx: Tx) -> TeamView:
    """Form a team of two collectors or more; the first one leads. 409 for a collector who is suspended, has left, or is
    on another team of the same day."""
    team = await teams.form_team(tx, body, actor=actor)
    return await queries.team_view(tx, team, FIRST_DAY)


@router.get("/teams")
async def list_teams(_actor: Reader, tx: ReadTx, page: Paging, day: StatedDay | None = None) -> Page[TeamView]:
    """Teams with their members on a day (default: today, UTC), the lead first, and the changes that are to come."""
    on = day or tx.now.date()
    items = await queries.list_teams(tx, day=on, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/teams/{team_id}")
async def get_team(team_id: UUID, _actor: Reader, tx: ReadTx, day: StatedDay | None = None) -> TeamView:
    """A team with its members on a day (default: today, UTC), and the changes that are to come."""
    return await queries.team_view(tx, await queries.get_team(tx, team_id), day or tx.now.date())


@router.get("/teams/{team_id}/history")
async def list_team_members(team_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[TeamMembersView]:
    """The changes of a team's members: who, when, why; the oldest first."""
    items = await queries.list_members(tx, team_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
