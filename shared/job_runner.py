"""What a worker does with jobs: claim one, do it, renew the claim meanwhile, and say how it ended. What is away (the
database, another service) is no fault of a job: it waits, and no try is counted.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Row

from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY, Context, Transaction
from shared.events.envelope import SYSTEM, ActorRef
from shared.jobs import CLAIM_SECONDS, JobEnded, JobKind, JobLost, JobStatus
from shared.telemetry import Log

if TYPE_CHECKING:
    from shared.runtime import Runtime

LOOK_SECONDS = 0.5
BACK_OFF_SECONDS = 2.0
BACK_OFF_SECONDS_MAX = 60.0
AWAY_SECONDS = 0.5
CRASHES_MAX = 10
CRASHED = (
    f"The worker stopped {CRASHES_MAX} times while it worked on this job, without getting further. Ask again with less "
    "in it, or show the worker's log to those who run it."
)

_log = Log("jobs")


class Work:
    """A claimed job, in the hands of its worker. Whatever it writes, it writes by `transaction`."""

    def __init__(self, runtime: "Runtime", row: "Row[Any]") -> None:
        self.runtime = runtime
        self.id: UUID = row.id
        self.lender_id: str | None = row.lender_id
        self.asked_by = ActorRef.parse(row.asked_by)
        self.epoch: int = row.epoch
        self.attempts: int = row.attempts
        self.done: int = row.done
        self.ended = False
        self._reached = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A unit of work that only reads, at the present business time; of a lender's job, its lender's rows only."""
        async with self.runtime.database.reading(Context(lender_id=self.lender_id)) as tx:
            tx.now = await self.runtime.clock.now(tx)
            yield tx

    @asynccontextmanager
    async def transaction(
        self,
        now: datetime | None = None,
        *,
        actor: ActorRef = SYSTEM,
        correlation_id: str = "",
        done: int | None = None,
        total: int | None = None,
        step: str | None = None,
        ends: bool = False,
    ) -> AsyncIterator[Transaction]:
        """One unit of work under the claim, with the progress that it makes: so many items are `done` in all, of
        `total`; `step` names what comes next. `ends`: with it the job is done. Raises JobLost."""
        context = Context(actor=actor, correlation_id=correlation_id, lender_id=self.lender_id)
        progress = self._progress(done, total, step)
        async with self.runtime.database.transaction(context, now) as tx:
            jobs = self.runtime.service.tables.jobs
            if ends:
                await jobs.end(tx, self.id, self.epoch, JobStatus.DONE, None, **progress)
            else:
                await jobs.renew(tx, self.id, self.epoch, **progress)
            yield tx
        self.done, self.attempts = progress.get("done", self.done), progress.get("attempts", self.attempts)
        self.ended = self.ended or ends

    async def report(self, *, done: int | None = None, total: int | None = None, step: str | None = None) -> None:
        """Report progress alone. Raises JobLost."""
        async with self.transaction(done=done, total=total, step=step):
            pass

    def reached(self, done: int) -> None:
        """Report progress from code that cannot wait; it is stored when the worker next looks at its claim."""
        self._reached = max(done, self._reached)

    async def renew(self) -> None:
        """Renew the claim, and store what was reached. Raises JobLost."""
        await self.report(done=self._reached)

    @property
    def has_news(self) -> bool:
        """Whether more was reached than is stored."""
        return self._reached > self.done

    def _progress(self, done: int | None, total: int | None, step: str | None) -> dict[str, Any]:
        """The columns that change. `done` never falls: work that begins again after a crash counts up to it first."""
        progress: dict[str, Any] = {}
        if done is not None and done > self.done:
            progress = {"done": done, "attempts": 1}
        if total is not None:
            progress["total"] = total
        if step is not None:
            progress["step"] = step
        return progress


async def run_next(runtime: "Runtime", kind: JobKind) -> int:
    """Do the oldest job of a kind that is due. Returns 1, or 0 where none is. What goes wrong with one job fails that
    job, in words; the worker goes on to the next. Raises what is away."""
    row = await _claim(runtime, kind)
    if row is None:
        return 0
    work = Work(runtime, row)
    with contextlib.suppress(JobLost):
        await do(work, kind)
    return 1


async def _claim(runtime: "Runtime", kind: JobKind) -> "Row[Any] | None":
    jobs = runtime.service.tables.jobs
    async with runtime.database.reading() as tx:
        if not await jobs.is_any_free(tx, kind.name):
            return None
    async with runtime.database.transaction() as tx:
        return await jobs.claim(tx, kind.name)


async def do(work: Work, kind: JobKind) -> None:
    """Work on a claimed job to its end. Raises JobLost, and what is away."""
    try:
        if work.attempts > CRASHES_MAX:
            await _give_up(work, kind, CRASHED)
            return
        await _watched(work, kind)
        if not work.ended:
            async with work.transaction(ends=True):
                pass
        _log.info("job done", job=kind.name, key=str(work.id))
    except JobLost:
        _log.info("job lost", job=kind.name, key=str(work.id))
        raise
    except (*AWAY, asyncio.CancelledError):
        await _free(work, AWAY_SECONDS, counts=False)
        raise
    except kind.expected as problem:
        await _give_up(work, kind, str(problem))
    except Exception as error:
        reason = type(error).__name__
        _log.error("job failed", job=kind.name, key=str(work.id), attempts=work.attempts, reason=reason)
        if work.attempts < kind.tries_max:
            await _free(work, min(BACK_OFF_SECONDS * 2 ** (work.attempts - 1), BACK_OFF_SECONDS_MAX), counts=True)
        else:
            await _give_up(work, kind, f"{kind.broken} ({reason})")


async def _watched(work: Work, kind: JobKind) -> None:
    """Do the work, and renew its claim meanwhile. Ends it, and raises JobLost, when the claim is lost."""
    doing = asyncio.ensure_future(kind.work(work))
    renewed = monotonic_seconds()
    try:
        while not doing.done():
            await asyncio.wait([doing], timeout=LOOK_SECONDS)
            if doing.done():
                break
            with contextlib.suppress(*AWAY):
                renewed = await _look(work, renewed)
        doing.result()
    finally:
        doing.cancel()
        await asyncio.wait([doing])
        if not doing.cancelled():
            doing.exception()  # it was seen, or does not matter any more


async def _look(work: Work, renewed: float) -> float:
    """Look whether the claim counts; renew it when a third of its time is over. Returns when it was renewed."""
    if work.has_news or monotonic_seconds() - renewed >= CLAIM_SECONDS / 3:
        await work.renew()
        return monotonic_seconds()
    async with work.runtime.database.reading() as tx:
        if not await work.runtime.service.tables.jobs.is_claimed(tx, work.id, work.epoch):
            raise JobLost(work.id)
    return renewed


async def _free(work: Work, seconds: float, *, counts: bool) -> None:
    """Leave the job to its next try. Where the database is away the claim ends by itself."""
    due_at = system_now() + timedelta(seconds=seconds)
    with contextlib.suppress(*AWAY, JobLost):
        async with work.runtime.database.transaction() as tx:
            await work.runtime.service.tables.jobs.free(tx, work.id, work.epoch, due_at=due_at, counts=counts)


async def _give_up(work: Work, kind: JobKind, problem: str) -> None:
    """Say in words why the job failed, in its own row and in the room's."""
    runtime = work.runtime
    async with runtime.database.transaction(Context(lender_id=work.lender_id)) as tx:
        tx.now = await runtime.clock.now(tx)
        await runtime.service.tables.jobs.end(tx, work.id, work.epoch, JobStatus.FAILED, problem)
        await kind.given_up(tx, JobEnded(work.id, JobStatus.FAILED, problem))
