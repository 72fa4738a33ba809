"""Intake: a lender's file of new accounts, from the stored file to cases, debtors, accounts and events.

The floor is COPY of the very rows that came out of it, into tables of the same schema.
"""

import io
from time import perf_counter

from services.cases.lenders import usecases as lenders
from services.cases.lenders.profile import FeedProfile
from services.cases.placements import usecases
from services.cases.placements.jobs import PLACEMENTS
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared.events.envelope import SYSTEM
from shared.job_runner import run_next
from shared.runtime import Runtime
from tests.actors.samples import PROFILE, file_of, row
from tests.bench.figures import REPETITIONS, Figure
from tests.bench.stage import Stage, connect

ACCOUNTS = 5_000
TABLES = ("case_file", "debtor", "address", "account", "ledger_entry", "notice", "referral", "timeline", "outbox")


async def measure(stage: Stage) -> list[Figure]:
    ours, floors = [], []
    for number in range(REPETITIONS):
        settings = await stage.settings(CasesSettings)
        async with stage.runtime(SERVICE, settings) as runtime:
            ours.append(await _take_in(runtime, number))
        floors.append(await _copy(stage, settings))
    note = "one process: CSV, checks, sealing, cases, events; the floor copies finished rows of " + ", ".join(TABLES)
    return [Figure(f"intake: a file of {ACCOUNTS:,} accounts", "accounts/s", ours, {"COPY": floors}, note)]


async def _take_in(runtime: Runtime, number: int) -> float:
    content = file_of(*(row(f"A-{number}-{n}", 1_000 + n, phone="+886912345678") for n in range(ACCOUNTS)))
    async with runtime.database.transaction() as tx:
        await lenders.register_lender(tx, lender_id="lender-1", name="Lender")
        await lenders.store_profile(tx, "lender-1", FeedProfile.model_validate(PROFILE), actor=SYSTEM)
    async with runtime.database.transaction() as tx:
        command = usecases.ReceivePlacement(
            lender_id="lender-1",
            media_type="text/csv",
            file=io.BytesIO(content),
            bytes=len(content),
            sha256="00" * 32,
            control_rows=None,
            control_balance_minor=None,
        )
        placement = await usecases.receive_placement(tx, command)
    started = perf_counter()
    await run_next(runtime, PLACEMENTS)
    seconds = perf_counter() - started
    async with runtime.database.reading() as tx:
        await tx.session.refresh(taken := await tx.session.merge(placement))
    assert (taken.status, taken.accepted) == ("DONE", ACCOUNTS)
    return ACCOUNTS / seconds


async def _copy(stage: Stage, settings: CasesSettings) -> float:
    """COPY of the rows that are there, into empty tables of the same shape, indexes and keys included."""
    source = await connect(settings)
    empty = await stage.settings(CasesSettings)
    async with stage.runtime(SERVICE, empty):
        target = await connect(empty)
        rows = {table: await source.fetch(f"SELECT * FROM {table}") for table in TABLES}
        parents = ["lender", "placement"]
        for table in parents:
            found = await source.fetch(f"SELECT * FROM {table}")
            await target.copy_records_to_table(table, records=[tuple(each) for each in found])
        started = perf_counter()
        for table, found in rows.items():
            await target.copy_records_to_table(table, records=[tuple(each) for each in found])
        seconds = perf_counter() - started
        await target.close()
    await source.close()
    return ACCOUNTS / seconds
