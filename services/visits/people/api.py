"""Routes of collectors and teams. What changes their open visits, too, is the room staffing's."""

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response

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
from shared.sealing import Sealer
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, etag, room

router = room("visits", tag="people")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR, Role.ADMIN)]
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


def _master(request: Request) -> Sealer:
    master: Sealer = request.app.state.runtime.master
    return master


@router.post("/collectors", status_code=201)
async def register_collector(body: CollectorBody, request: Request, _actor: Supervisor, tx: Tx) -> CollectorView:
    """Register a collector with what is known about them."""
    master = _master(request)
    return queries.collector_view(await usecases.register_collector(tx, body, master), master)


@router.get("/collectors")
async def list_collectors(
    request: Request, _actor: Reader, tx: ReadTx, page: Paging, status: CollectorStatus | None = None
) -> Page[CollectorView]:
    """Collectors with their names, for the desk and compliance staff."""
    items = await queries.list_collectors(
        tx, status=status, after=page.after(UUID), limit=page.fetch, master=_master(request)
    )
    return page.of(items, key=lambda item: item.id)


@router.get("/collectors/{collector_id}")
async def get_collector(
    collector_id: UUID, request: Request, response: Response, _actor: Reader, tx: ReadTx
) -> CollectorFileView:
    """A collector with all facts that the law asks for."""
    row = await queries.get_collector(tx, collector_id)
    response.headers["ETag"] = etag(row.version)
    return queries.collector_file(row, _master(request))


@router.post("/collectors/{collector_id}/correct")
async def correct_collector(
    collector_id: UUID,
    body: CorrectionBody,
    request: Request,
    response: Response,
    actor: Supervisor,
    tx: Tx,
    seen: SeenVersion,
) -> CollectorFileView:
    """Correct facts of a collector. Old and new values stay in the collector's history."""
    master = _master(request)
    row = await usecases.lock_collector(tx, collector_id)
    seen.check(row.version)
    await usecases.correct(tx, row, body, actor=actor, master=master)
    response.headers["ETag"] = etag(row.version)
    return queries.collector_file(row, master)


@router.post("/collectors/{collector_id}/certificates", status_code=201)
async def add_certificate(
    collector_id: UUID, body: CertificateBody, request: Request, actor: Supervisor, tx: Tx
) -> CollectorView:
    """Record a certificate."""
    master = _master(request)
    row = await usecases.lock_collector(tx, collector_id)
    await usecases.add_certificate(tx, row, body, actor=actor, master=master)
    return queries.collector_view(row, master)


@router.get("/collectors/{collector_id}/history")
async def list_collector_changes(
    collector_id: UUID, request: Request, _actor: Reader, tx: ReadTx, page: Paging
) -> Page[CollectorChangeView]:
    """What was changed about a collector: who, when, why, old and new values; the oldest first."""
    items = await queries.list_changes(
        tx, collector_id, after=page.after(UUID), limit=page.fetch, master=_master(request)
    )
    return page.of(items, key=lambda item: item.id)


@router.post("/teams", status_code=201)
async def form_team(body: TeamBody, actor: Supervisor, tx: Tx) -> TeamView:
    """Form a team of two collectors or more; the first one leads. 409 for a collector who is suspended or has left."""
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
async def list_team_members(
    team_id: UUID, request: Request, _actor: Reader, tx: ReadTx, page: Paging
) -> Page[TeamMembersView]:
    """The changes of a team's members: who, when, why; the oldest first."""
    items = await queries.list_members(tx, team_id, after=page.after(UUID), limit=page.fetch, master=_master(request))
    return page.of(items, key=lambda item: item.id)
