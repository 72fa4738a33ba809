"""The job of a placement: read the stored file and take it in, batch by batch.

It works for the lender that sent the file: its transactions see and change this lender's rows only. Progress is stored
in the transaction of each batch, so a killed worker goes on exactly where the last commit was.
"""

import asyncio
from collections.abc import Iterator

from services.cases.base import LAWBOOK
from services.cases.lenders import usecases as lenders
from services.cases.placements import queries, usecases
from services.cases.placements.intake import Intake
from services.cases.placements.reading import FileRefused, read_rows
from services.cases.settings import CasesSettings
from shared.auth import Role
from shared.database import Transaction
from shared.errors import DomainError
from shared.job_runner import Work
from shared.jobs import JobEnded, JobKind


async def take_in(work: Work) -> None:
    """Take a file in from where it stands. Raises FileRefused for one of which nothing can be read."""
    runtime = work.runtime
    settings = CasesSettings.of(runtime.settings)
    async with work.reading() as tx:
        now = tx.now
        placement = await queries.get_row(tx, work.id)
        law = await LAWBOOK.law(tx)
        _, profile = await lenders.profile_of(tx, placement.lender_id, placement.profile_version)
        file = await usecases.open_file(tx, placement)
    notice = usecases.notice_of(placement, profile)
    day = usecases.day_of(placement, profile)
    intake = Intake(placement.lender_id, placement.id, profile, day, notice, law, runtime.digest_secret)
    with file:
        rows = read_rows(file, placement.media_type, profile.columns.values())
        batches = usecases.batches(rows, intake, law, now=now, size=settings.placement_batch_rows)
        while (batch := await asyncio.to_thread(_next, batches)) is not None:
            if batch.start < placement.next_row:
                continue  # taken before the worker was started again
            runtime.database.storage.check_reserve()
            async with work.transaction(now, done=batch.end, step="TAKING_IN") as tx:
                await usecases.take_batch(tx, placement.id, batch, intake)
    async with work.transaction(now, total=work.done, ends=True) as tx:
        await usecases.finish(tx, placement.id)


def _next(batches: Iterator[usecases.Batch]) -> usecases.Batch | None:
    """Reading and checking 500 rows takes more time than the event loop may be held."""
    return next(batches, None)


async def _refuse(tx: Transaction, ended: JobEnded) -> None:
    await usecases.finish(tx, ended.id, problem=ended.problem)


PLACEMENTS = JobKind(
    name=usecases.KIND,
    work=take_in,
    given_up=_refuse,
    roles=frozenset({Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN}),
    expected=(FileRefused, DomainError),
    broken="The file could not be taken in to its end; what was taken before stays.",
)
