"""The worker derives the whole trail again by itself, in a process of its own, and says what came of it."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from services.audit.settings import AuditSettings
from services.audit.verification.jobs import VERIFICATIONS, Schedule
from services.audit.verification.queries import get_last_verification, last_verification
from services.audit.worker import SERVICE
from shared.errors import NotFound
from shared.ids import new_id
from shared.job_runner import run_next
from shared.runtime import Runtime
from tests.actors.samples import row
from tests.house import running_house
from tests.tamper import trails
from tests.tamper.forgeries import forgeries
from tests.tamper.ways import LOG, MIDDLE

JOBS = SERVICE.tables.jobs


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request, tmp_path):
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    return trails.build(tmp_path, postgres)


def metric(name):
    return REGISTRY.get_sample_value(f"doorstep_trail_{name}")


def with_runtime(copy, work):
    """Do this with a worker's runtime on a copy of the trail."""

    async def run():
        folders = {"data_dir": copy.keys.parent, "keys_dir": copy.keys, "checkpoint_dir": copy.copies}
        runtime = Runtime(SERVICE, AuditSettings(database_url=copy.url, **folders))
        await runtime.start()
        try:
            await work(runtime)
        finally:
            await runtime.close()

    asyncio.run(run())


async def ask(runtime):
    async with runtime.database.transaction() as tx:
        await JOBS.ask(tx, VERIFICATIONS.name, new_id())


async def verified(runtime):
    """What the job found that waits."""
    assert await run_next(runtime, VERIFICATIONS) == 1
    async with runtime.database.reading() as tx:
        return await get_last_verification(tx)


def test_what_is_found_is_kept_and_told(made):
    copy = made.copy("trail", "scheduled")

    async def work(runtime):
        schedule = Schedule(runtime)
        async with runtime.database.reading() as tx:
            assert await last_verification(tx) is None
            with pytest.raises(NotFound):
                await get_last_verification(tx)
        assert [await schedule.ask_if_due() for _ in range(2)] == [True, False]
        first = await verified(runtime)
        assert (first.ok, first.error, metric("problems")) == (True, None, 0)
        assert {log.log: log.size for log in first.logs}[LOG] == made.size
        assert metric("verified_at") == first.started_at.timestamp()
        await asyncio.to_thread(copy.tamper, forgeries(made.size, made.backup, made.older, made.notes)[0].do)
        await ask(runtime)
        second = await verified(runtime)
        assert (second.ok, metric("problems")) == (False, 1)
        assert metric("verified_at") == first.started_at.timestamp()
        [problem] = [problem for log in second.logs for problem in log.problems]
        assert (problem.index, problem.kind) == (MIDDLE, "leaf-altered")
        assert not await schedule.ask_if_due()
        async with runtime.database.reading() as tx:
            newest, older = await JOBS.page(tx, ["verification"], status=None, after=None, limit=9)
            [outcome] = await JOBS.outcomes(tx, newest.id, after=-1, limit=9)
        assert (newest.status, older.status) == ("DONE", "DONE")
        assert (outcome.line, outcome.field, outcome.code) == (MIDDLE, LOG, "leaf-altered")

    with_runtime(copy, work)
    copy.drop()


def test_a_trail_that_cannot_be_read_is_no_verified_trail(made):
    copy = made.copy("trail", "unreadable")
    copy.tamper(lambda store: store.run("DROP TABLE entry_rule"))

    async def work(runtime):
        await ask(runtime)
        found = await verified(runtime)
        assert not found.ok
        assert "no trail" in found.error
        assert metric("problems") == 1

    with_runtime(copy, work)
    copy.drop()


@pytest.mark.slow
def test_an_officer_reads_it(tmp_path):
    with running_house(tmp_path) as house:
        lender = house.lender()
        lender.place(row("A-1"))
        house.quiet()
        path = "/audit/v1/trail/verification"
        lender.caller.get(path, expect=404)
        for _ in range(120):
            answer = house.client.get(path, headers=house.officer.headers)
            if answer.status_code == 200:
                break
            assert answer.json()["title"] == "not-verified-yet"
            time.sleep(0.5)
        assert answer.json()["ok"] is True
        assert lender.id in {log["log"] for log in answer.json()["logs"]}
