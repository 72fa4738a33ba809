"""Routes of jobs, the same in every service: which there are, how far they are, and what became of each item."""

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from sqlalchemy import Row

from shared.auth import Actor, Role, allow
from shared.database import Transaction
from shared.errors import Invalid, NotFound
from shared.jobs import OPEN, JobKind, Jobs, JobStatus
from shared.runtime import Runtime
from shared.streams import Batch, Item
from shared.web.paging import Page, Paging
from shared.web.requests import DoorstepRoute, ReadTx, Tx
from shared.web.streams import LastEventId, Reading, begin, follow

# They may ask in every service; other roles only where a kind of its jobs names them. Each sees its kinds' jobs.
_EVERYWHERE = frozenset({Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN})


class JobView(BaseModel):
    """A job. `id` is the id of what it works on: of a placement, a plan, an export. All times are the system's."""

    id: UUID
    kind: str
    status: JobStatus
    lender_id: str | None = Field(description="whose job it is; null: of no single lender")
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    next_try_at: datetime | None = Field(description="when a worker takes it, at the earliest; null unless it waits")
    attempts: int = Field(description="how often a worker began since the job last got further")
    step: str | None = Field(description="what the worker does now")
    done: int = Field(description="items that are done; it never falls")
    total: int | None = Field(description="items in all; null: not known yet")
    problem: str | None = Field(description="why the job failed or was cancelled")


class OutcomeView(BaseModel):
    """What became of an item: its place, a code, and a sentence. It never repeats a value."""

    item: int
    line: int
    field: str
    code: str
    message: str


def job_view(row: "Row[Any]") -> JobView:
    columns = dict(row._mapping)
    waits = row.status == JobStatus.WAITING
    return JobView.model_validate(columns | {"next_try_at": row.due_at if waits else None})


async def _newest(jobs: Jobs, job_id: UUID, tx: Transaction, position: int) -> Batch:
    """The newest state of a job, unless it was seen; behind its end comes nothing more. Raises NotFound and Invalid."""
    row = await jobs.get(tx, job_id)
    if position > row.revision:
        raise Invalid("position-ahead", f"The job has come to change {row.revision}: go on from 0 to {row.revision}.")
    if row.status not in OPEN:
        return Batch([Item(row.revision, "done", job_view(row))], ended=True)
    return Batch([Item(row.revision, "progress", job_view(row))] if row.revision > position else [])


def jobs_router(runtime: Runtime) -> APIRouter:
    router = APIRouter(prefix=f"/{runtime.service.name}/v1", tags=["jobs"], route_class=DoorstepRoute)
    Reader = Annotated[Actor, allow(*_EVERYWHERE.union(*(kind.roles for kind in runtime.service.jobs)))]
    shown = _Shown(runtime)
    jobs = shown.jobs

    @router.get("/jobs")
    async def list_jobs(
        actor: Reader, tx: ReadTx, page: Paging, kind: str | None = None, status: JobStatus | None = None
    ) -> Page[JobView]:
        """Work in the background, the newest first. A lender sees its own jobs."""
        wanted = shown.wanted(actor, kind)
        rows = await jobs.page(tx, wanted, status=status, after=page.after(UUID), limit=page.fetch)
        return page.of([job_view(row) for row in rows], key=lambda job: job.id)

    @router.get("/jobs/{job_id}")
    async def get_job(job_id: UUID, actor: Reader, tx: ReadTx) -> JobView:
        """How far a job is, and why it failed if it did."""
        row, _ = await shown.get(tx, actor, job_id)
        return job_view(row)

    @router.get("/jobs/{job_id}/outcomes")
    async def list_outcomes(job_id: UUID, actor: Reader, tx: ReadTx, page: Paging) -> Page[OutcomeView]:
        """The items that a person must look at, in their order: what became of each."""
        await shown.get(tx, actor, job_id)
        found = await jobs.outcomes(tx, job_id, after=page.after(int), limit=page.fetch)
        items = [OutcomeView.model_validate(each, from_attributes=True) for each in found]
        return page.of(items, key=lambda each: each.item)

    async def changes(job_id: UUID, actor: Reader, tx: ReadTx, last: LastEventId) -> Reading:
        await shown.get(tx, actor, job_id)
        return await begin(tx, partial(_newest, jobs, job_id), last or 0)

    @router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
    async def watch_job(
        request: Request, actor: Reader, reading: Annotated[Reading, Depends(changes)]
    ) -> AsyncIterator[ServerSentEvent]:
        """A job as it goes, as server-sent events: `progress` with the newest state, then `done` at its end; at most
        until the token ends. The id of an event counts the changes: with Last-Event-ID a client gets what is newer."""
        async for event in follow(request, actor, reading):
            yield event

    @router.post("/jobs/{job_id}/cancel")
    async def cancel_job(job_id: UUID, actor: Reader, tx: Tx) -> JobView:
        """Cancel a job that has not ended. What it did before stays. 409 `job-ended` for one that has ended."""
        _, kind = await shown.get(tx, actor, job_id)
        await kind.given_up(tx, await jobs.cancel(tx, job_id))
        return job_view(await jobs.get(tx, job_id))

    return router


class _Shown:
    """The jobs of a service that an actor may see: of the kinds that its role may see."""

    def __init__(self, runtime: Runtime) -> None:
        self.jobs = runtime.service.tables.jobs
        self._kinds = {kind.name: kind for kind in runtime.service.jobs}

    def wanted(self, actor: Actor, kind: str | None) -> list[str]:
        """The kinds to list. Raises Invalid for a kind that this service does not have."""
        if kind is not None and kind not in self._kinds:
            names = ", ".join(self._kinds)
            raise Invalid("job-kind", f"`kind` must be one of: {names}." if names else "This service has no jobs.")
        return [each.name for each in self._kinds.values() if kind in (None, each.name) and actor.has(*each.roles)]

    async def get(self, tx: Transaction, actor: Actor, job_id: UUID) -> "tuple[Row[Any], JobKind]":
        """A job with its kind. Raises NotFound."""
        row = await self.jobs.get(tx, job_id)
        kind = self._kinds.get(row.kind)
        if kind is None or not actor.has(*kind.roles):
            raise NotFound("job-not-found", "There is no such job here.")
        return row, kind
