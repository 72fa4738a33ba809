"""The worker's part of a placement: read the stored file and take it in, batch by batch.

It works for the lender that sent the file: its transactions see and change this lender's rows only. Progress is stored
in the transaction of each batch, so a killed worker goes on exactly where the last commit was.
"""

import asyncio
from collections.abc import Iterator

from services.cases.base import LAWBOOK
from services.cases.lenders import usecases as lenders
from services.cases.placements import usecases
from services.cases.placements.intake import Intake
from services.cases.placements.reading import FileRefused, read_rows
from services.cases.placements.tables import PlacementRow
from services.cases.settings import CasesSettings
from shared.database import AWAY, Context
from shared.runtime import Runtime
from shared.telemetry import Log

_log = Log("placements")


async def take_next_placement(runtime: Runtime) -> int:
    """Take in the oldest file that waits. Returns 1, or 0 where none does. What goes wrong with one file refuses that
    file, in words; the worker goes on to the next."""
    async with runtime.database.reading() as tx:
        placement = await usecases.next_placement(tx)
    if placement is None:
        return 0
    problem, of_lender = None, Context(lender_id=placement.lender_id)
    try:
        await _take(runtime, placement, of_lender)
    except AWAY:
        raise  # infrastructure: wait and come again, no file is at fault
    except FileRefused as refused:
        problem = str(refused)
    except Exception as error:
        problem = f"The file could not be taken in to its end ({type(error).__name__}); what was taken before stays."
        _log.error("placement failed", placement_id=placement.id, reason=type(error).__name__)
    async with runtime.database.transaction(of_lender) as tx:
        await usecases.finish(tx, placement.id, problem=problem)
    _log.info("placement done", placement_id=placement.id)
    return 1


async def _take(runtime: Runtime, placement: PlacementRow, of_lender: Context) -> None:
    """Take a file in from where it stands. Raises FileRefused for one of which nothing can be read."""
    settings = CasesSettings.of(runtime.settings)
    async with runtime.database.reading(of_lender) as tx:
        now = await runtime.clock.now(tx)
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
                continue  # taken before the worker was started anew
            runtime.database.storage.check_reserve()
            async with runtime.database.transaction(of_lender, now) as tx:
                await usecases.take_batch(tx, placement.id, batch, intake)


def _next(batches: Iterator[usecases.Batch]) -> usecases.Batch | None:
    """Reading and checking 500 rows takes more time than the event loop may be held."""
    return next(batches, None)
