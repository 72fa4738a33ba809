"""Routes of collectors and teams."""

from typing import Annotated
from uuid import UUID

from fastapi import Request

from services.visits.people import queries, usecases
from services.visits.people.schemas import CertificateBody, CollectorBody, CollectorView, TeamBody, TeamView
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("visits", tag="people")
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR, Role.ADMIN)]
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.post("/collectors", status_code=201)
async def register_collector(body: CollectorBody, request: Request, _actor: Supervisor, tx: Tx) -> CollectorView:
    """Register a collector with what is known about them."""
    return queries.collector_view(await usecases.register_collector(tx, body, request.app.state.runtime.master))


@router.get("/collectors")
async def list_collectors(_actor: Reader, tx: ReadTx, page: Paging) -> Page[CollectorView]:
    """Collectors, without names."""
    items = await queries.list_collectors(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.post("/collectors/{collector_id}/certificates", status_code=201)
async def add_certificate(collector_id: UUID, body: CertificateBody, _actor: Supervisor, tx: Tx) -> CollectorView:
    """Record a certificate."""
    return queries.collector_view(await usecases.add_certificate(tx, collector_id, body))


@router.post("/teams", status_code=201)
async def form_team(body: TeamBody, _actor: Supervisor, tx: Tx) -> TeamView:
    """Form a team of two collectors or more; the first one leads."""
    team = await usecases.form_team(tx, body)
    return TeamView(id=team.id, name=team.name, collector_ids=body.collector_ids)


@router.get("/teams")
async def list_teams(_actor: Reader, tx: ReadTx, page: Paging) -> Page[TeamView]:
    """Teams with their collectors, the lead first."""
    items = await queries.list_teams(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
