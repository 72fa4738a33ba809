"""Jobs: work in the background that a row asks for and a worker does. A room declares a `JobKind`, asks with
`Jobs.ask` in the transaction of its own row, and does the work by `Work` (shared/job_runner.py). How to add a kind:
docs/how-to/add-a-job.md.

A worker claims a job for some seconds and renews the claim while it is at work. Each claim has a higher epoch. Each
transaction of the work begins with an UPDATE of the job's row under its epoch: it renews the claim, reports progress
and locks the row until the commit. So a worker that lost its claim writes nothing, and a cancelled job stops.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    and_,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Column as C

from shared.auth import Role
from shared.bus.lease import database_seconds
from shared.clock import system_now
from shared.database import Transaction, UtcTime
from shared.errors import Conflict, DomainError, NotFound
from shared.listing import page_of
from shared.tenants import owned

if TYPE_CHECKING:
    from shared.job_runner import Work

CLAIM_SECONDS = 10.0
CANCELLED_WORDS = "The job was cancelled before its end. What was done before stays."


class JobStatus(StrEnum):
    """WAITING: for a worker, or for its next try. RUNNING: a worker is at it. The other three are ends."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


OPEN = (JobStatus.WAITING, JobStatus.RUNNING)


class JobLost(Exception):
    """Another worker has claimed the job, or the job was cancelled. What this worker still wanted to write is void."""


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job that ended without its result: FAILED or CANCELLED, and the problem in words."""

    id: UUID
    status: JobStatus
    problem: str


async def _nothing(_tx: Transaction, _ended: JobEnded) -> None: ...


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job. `work` is called again from the beginning after a crash: it finds by its own rows what is done.
    `given_up` writes into the room's row that the job failed or was cancelled, in the same transaction.

    `roles` may see and cancel jobs of this kind; a lender sees its own only. `expected` are exceptions whose message is
    for users: they end the job at once. Any other is tried again, `tries_max` times without progress in all; then the
    problem says `broken` and the name of the exception, never its message. `awaited`: a simulated clock moves only when
    no job of this kind is open."""

    name: str
    work: Callable[["Work"], Awaitable[None]]
    roles: frozenset[Role]
    broken: str
    given_up: Callable[[Transaction, JobEnded], Awaitable[None]] = _nothing
    expected: tuple[type[Exception], ...] = (DomainError,)
    tries_max: int = 3
    awaited: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item of a job: its number, where it stands, and a code with a sentence. Never a value."""

    item: int
    line: int
    field: str
    code: str
    message: str


def _job_table(metadata: MetaData) -> Table:
    """`due_at`, `asked_at` … are system time. `epoch` counts claims, `revision` what a watcher may have missed;
    `attempts` counts claims since the job last got further."""
    return Table(
        "job",
        metadata,
        C("id", Uuid, primary_key=True),
        C("kind", Text, nullable=False),
        C("lender_id", Text),
        C("status", Text, nullable=False),
        C("asked_by", Text, nullable=False),
        C("asked_at", UtcTime, nullable=False),
        C("due_at", UtcTime, nullable=False),
        C("attempts", Integer, nullable=False, server_default="0"),
        C("epoch", BigInteger, nullable=False, server_default="0"),
        C("claimed_until_seconds", Float(53), nullable=False, server_default="0"),
        C("step", Text),
        C("done", BigInteger, nullable=False, server_default="0"),
        C("total", BigInteger),
        C("problem", Text),
        C("started_at", UtcTime),
        C("ended_at", UtcTime),
        C("revision", BigInteger, nullable=False, server_default="0"),
        Index("ix_job_kind_status_id", "kind", "status", "id"),
        **owned(tenant="lender_id"),
    )


def _outcome_table(metadata: MetaData) -> Table:
    return Table(
        "job_outcome",
        metadata,
        C("job_id", Uuid, ForeignKey("job.id"), primary_key=True),
        C("item", BigInteger, primary_key=True, autoincrement=False),
        C("line", BigInteger, nullable=False),
        C("field", Text, nullable=False),
        C("code", Text, nullable=False),
        C("message", Text, nullable=False),
        **owned(tenant_via="job_id"),
    )


class Jobs:
    """The jobs of one service: its two tables, and what may be done with them."""

    def __init__(self, metadata: MetaData) -> None:
        self.job = _job_table(metadata)
        self.outcome = _outcome_table(metadata)

    async def ask(
        self, tx: Transaction, kind: str, job_id: UUID, *, lender_id: str | None = None, total: int | None = None
    ) -> None:
        """Ask for a job, in the transaction of the row that it is about; a worker begins after the commit. A job has
        the id of that row. `total`: how many items it has, where that is known."""
        now = system_now()
        row = {
            "id": job_id,
            "kind": kind,
            "lender_id": lender_id,
            "status": JobStatus.WAITING,
            "asked_by": str(tx.context.actor),
            "asked_at": now,
            "due_at": now,
            "total": total,
        }
        await tx.session.execute(insert(self.job).values(row))
        tx.wake_worker()

    async def cancel(self, tx: Transaction, job_id: UUID) -> JobEnded:
        """Cancel an open job: its worker can write nothing more. Raises Conflict where it has ended. The caller writes
        into the room's row what `JobKind.given_up` would."""
        changed = await tx.session.execute(
            update(self.job)
            .where(self.job.c.id == job_id, self.job.c.status.in_(OPEN))
            .values(**self._end(JobStatus.CANCELLED, CANCELLED_WORDS))
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            row = await self.get(tx, job_id)
            raise Conflict("job-ended", f"This job is {row.status}: it cannot be cancelled any more.")
        return JobEnded(job_id, JobStatus.CANCELLED, CANCELLED_WORDS)

    async def lock(self, tx: Transaction, job_id: UUID) -> None:
        """Lock a job before the row that it is about, as its worker does: so that none waits for the other."""
        await tx.session.execute(select(self.job.c.id).where(self.job.c.id == job_id).with_for_update())

    def _end(self, status: JobStatus, problem: str | None = None) -> dict[str, Any]:
        return {
            "status": status,
            "problem": problem,
            "ended_at": system_now(),
            "epoch": self.job.c.epoch + 1,
            "revision": self.job.c.revision + 1,
        }

    # --- what the worker does

    async def claim(self, tx: Transaction, kind: str) -> "Row[Any] | None":
        """Claim the oldest job of a kind that is due and that no worker is at. None where there is none. The jobs of a
        lender are done one after the other: its newer file must not be read before the older one."""
        job_id = await tx.session.scalar(self._free(tx, kind).with_for_update(skip_locked=True))
        if job_id is None:
            return None
        await tx.session.execute(
            update(self.job)
            .where(self.job.c.id == job_id)
            .values(
                status=JobStatus.RUNNING,
                epoch=self.job.c.epoch + 1,
                attempts=self.job.c.attempts + 1,
                claimed_until_seconds=database_seconds(tx) + CLAIM_SECONDS,
                started_at=case((self.job.c.started_at.is_(None), system_now()), else_=self.job.c.started_at),
                revision=self.job.c.revision + 1,
            )
        )
        return await self.get(tx, job_id)

    async def is_any_free(self, tx: Transaction, kind: str) -> bool:
        """Whether `claim` would find a job: most looks find none, and need not write."""
        return await tx.session.scalar(self._free(tx, kind)) is not None

    def _free(self, tx: Transaction, kind: str) -> Any:
        job = self.job.c
        due = and_(job.status == JobStatus.WAITING, job.due_at <= system_now())
        left = and_(job.status == JobStatus.RUNNING, job.claimed_until_seconds < database_seconds(tx))
        earlier = self.job.alias("earlier")
        same = earlier.c.kind == job.kind, earlier.c.lender_id == job.lender_id
        in_turn = ~exists().where(*same, earlier.c.status.in_(OPEN), earlier.c.id < job.id)
        return select(job.id).where(job.kind == kind, or_(due, left), in_turn).order_by(job.id).limit(1)

    async def renew(self, tx: Transaction, job_id: UUID, epoch: int, **progress: Any) -> None:
        """Renew a claim, and lock the job until the commit. Raises JobLost. `progress`: the columns that change."""
        if progress:
            progress["revision"] = self.job.c.revision + 1
        await self._change(tx, job_id, epoch, claimed_until_seconds=database_seconds(tx) + CLAIM_SECONDS, **progress)

    async def end(
        self, tx: Transaction, job_id: UUID, epoch: int, status: JobStatus, problem: str | None, **progress: Any
    ) -> None:
        """End a job under its claim. Raises JobLost."""
        await self._change(tx, job_id, epoch, **progress, **self._end(status, problem))

    async def free(self, tx: Transaction, job_id: UUID, epoch: int, *, due_at: datetime, counts: bool) -> None:
        """Let the job wait for its next try; one that does not count was no fault of the job. Raises JobLost."""
        attempts = self.job.c.attempts - (0 if counts else 1)
        await self._change(
            tx,
            job_id,
            epoch,
            status=JobStatus.WAITING,
            due_at=due_at,
            attempts=attempts,
            revision=self.job.c.revision + 1,
        )

    async def _change(self, tx: Transaction, job_id: UUID, epoch: int, /, **values: Any) -> None:
        changed = await tx.session.execute(
            update(self.job).where(self.job.c.id == job_id, *self._is_claimed(epoch)).values(**values)
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            raise JobLost(job_id)

    async def is_claimed(self, tx: Transaction, job_id: UUID, epoch: int) -> bool:
        """Whether the claim still counts."""
        found = select(self.job.c.id).where(self.job.c.id == job_id, *self._is_claimed(epoch))
        return await tx.session.scalar(found) is not None

    def _is_claimed(self, epoch: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return self.job.c.epoch == epoch, self.job.c.status == JobStatus.RUNNING

    async def free_all(self, tx: Transaction, kind: str) -> None:
        """Free the jobs of a worker that is gone, where only one process works on this database."""
        running = self.job.c.kind == kind, self.job.c.status == JobStatus.RUNNING
        await tx.session.execute(update(self.job).where(*running).values(claimed_until_seconds=0))

    async def is_any_open(self, tx: Transaction, kind: str) -> bool:
        """Whether a job of this kind waits or runs."""
        found = select(self.job.c.id).where(self.job.c.kind == kind, self.job.c.status.in_(OPEN)).limit(1)
        return await tx.session.scalar(found) is not None

    async def keep_newest(self, tx: Transaction, kind: str, most: int) -> None:
        """Forget all but the newest jobs of a kind that have ended, with their outcomes."""
        of_kind = select(self.job.c.id).where(self.job.c.kind == kind)
        newest = of_kind.order_by(self.job.c.id.desc()).limit(most)
        old = (
            await tx.session.scalars(of_kind.where(self.job.c.id.not_in(newest), self.job.c.status.not_in(OPEN)))
        ).all()
        await tx.session.execute(delete(self.outcome).where(self.outcome.c.job_id.in_(old)))
        await tx.session.execute(delete(self.job).where(self.job.c.id.in_(old)))

    async def note(self, tx: Transaction, job_id: UUID, outcomes: Sequence[Outcome]) -> None:
        """Store the outcomes of items, in the transaction that does the items. An item has one outcome."""
        rows = [
            {
                "job_id": job_id,
                "item": each.item,
                "line": each.line,
                "field": each.field,
                "code": each.code,
                "message": each.message,
            }
            for each in outcomes
        ]
        if rows:
            await tx.session.execute(insert(self.outcome), rows)

    # --- reads

    async def get(self, tx: Transaction, job_id: UUID) -> "Row[Any]":
        """Raises NotFound."""
        row = (await tx.session.execute(select(self.job).where(self.job.c.id == job_id))).one_or_none()
        if row is None:
            raise NotFound("job-not-found", "There is no such job here.")
        return row

    async def page(
        self, tx: Transaction, kinds: Sequence[str], *, status: JobStatus | None, after: UUID | None, limit: int
    ) -> "Sequence[Row[Any]]":
        """Jobs of these kinds, the newest first."""
        found = select(self.job).where(self.job.c.kind.in_(kinds))
        if status is not None:
            found = found.where(self.job.c.status == status)
        page = page_of(found, self.job.c.id, after=after, limit=limit, newest_first=True)
        return (await tx.session.execute(page)).all()

    async def outcomes(self, tx: Transaction, job_id: UUID, *, after: int | None, limit: int) -> Sequence[Outcome]:
        """The outcomes of a job's items, in their order."""
        outcome = self.outcome.c
        of_job = select(outcome.item, outcome.line, outcome.field, outcome.code, outcome.message)
        of_job = of_job.where(outcome.job_id == job_id)
        rows = await tx.session.execute(page_of(of_job, outcome.item, after=after, limit=limit))
        return [Outcome(*row) for row in rows]
