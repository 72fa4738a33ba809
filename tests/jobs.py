"""Jobs in tests: their tries without the waiting between them."""

from sqlalchemy import update

from shared.clock import system_now
from shared.job_runner import run_next
from shared.jobs import JobKind, JobStatus
from shared.runtime import Runtime


async def bring_forward(runtime: Runtime) -> None:
    """Jobs that wait for their next try need not wait any more."""
    job = runtime.service.tables.jobs.job
    async with runtime.database.transaction() as tx:
        await tx.session.execute(update(job).where(job.c.status == JobStatus.WAITING).values(due_at=system_now()))


async def work_off(runtime: Runtime, kind: JobKind) -> int:
    """Work until no job of this kind is open. Returns how many tries that took."""
    tries = 0
    while await run_next(runtime, kind):
        tries += 1
        await bring_forward(runtime)
    return tries
