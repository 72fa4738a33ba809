"""Jobs over HTTP, in cases: whose they are, how one is watched, and the statements of a claim on both databases."""

import asyncio
import json
from datetime import timedelta

import pytest

from services.cases.placements.jobs import PLACEMENTS
from shared.auth import Role
from shared.clock import system_now
from shared.ids import new_id
from shared.job_runner import run_next
from shared.jobs import JobLost
from tests.actors.samples import file_of, row
from tests.cases.conftest import System
from tests.one_service import LENDER, bearer


async def asked(system: System) -> str:
    await system.place("A-0")
    return (await system.push(file_of(row("A-1"), row("A-1")))).json()["id"]


async def test_a_lender_sees_its_own_jobs_and_a_collector_none(system: System) -> None:
    job_id = await asked(system)
    assert await run_next(system.runtime, PLACEMENTS) == 1
    for role in (Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN):
        newest, first = (await system.get("/jobs", role=role))["items"]
        assert (newest["id"], newest["lender_id"], newest["done"], newest["total"]) == (job_id, LENDER, 2, 2)
        assert await system.get(f"/jobs/{job_id}", role=role) == newest
        page = await system.get("/jobs", role=role, limit=1)
        assert page["items"] == [newest]
        assert (await system.get("/jobs", role=role, limit=1, cursor=page["next_cursor"]))["items"] == [first]
    [outcome] = (await system.get(f"/jobs/{job_id}/outcomes", role=Role.LENDER))["items"]
    assert (outcome["item"], outcome["line"], outcome["code"]) == (1, 3, "duplicate-in-file")
    assert (await system.get("/jobs", role=Role.LENDER, lender_id="another"))["items"] == []
    for path in ("", "/outcomes", "/events"):
        await system.get(f"/jobs/{job_id}{path}", expect=404, role=Role.LENDER, lender_id="another")
        await system.get(f"/jobs/{job_id}{path}", expect=403, role=Role.COLLECTOR)
    headers = bearer(system.runtime, Role.LENDER, lender_id="another")
    answer = await system.client.post(f"/cases/v1/jobs/{job_id}/cancel", headers=headers)
    assert answer.status_code == 404
    await system.get("/jobs", expect=422, role=Role.LENDER, kind="plans")


async def test_a_job_is_watched_until_it_is_done(system: System) -> None:
    job_id = await asked(system)
    watching = asyncio.create_task(
        system.client.get(f"/cases/v1/jobs/{job_id}/events", headers=system.bearer(Role.LENDER))
    )
    assert await run_next(system.runtime, PLACEMENTS) == 1
    async with asyncio.timeout(20):
        watched = await watching
    lines = [line.partition(": ") for line in watched.text.splitlines() if line]
    names = [value for name, _, value in lines if name == "event"]
    ids = [int(value) for name, _, value in lines if name == "id"]
    assert set(names[:-1]) <= {"progress"}
    assert names[-1] == "done"
    assert ids == sorted(set(ids))
    shown = json.loads(next(value for name, _, value in reversed(lines) if name == "data"))
    assert shown == await system.get(f"/jobs/{job_id}", role=Role.LENDER)
    again = system.bearer(Role.LENDER) | {"Last-Event-ID": str(ids[-1])}
    once_more = await system.client.get(f"/cases/v1/jobs/{job_id}/events", headers=again)
    assert [line for line in once_more.text.splitlines() if line.startswith("event")] == ["event: done"]


async def test_a_position_that_a_job_has_not_reached_is_refused(system: System) -> None:
    job_id = await asked(system)
    ahead = system.bearer(Role.LENDER) | {"Last-Event-ID": "1"}
    answer = await system.client.get(f"/cases/v1/jobs/{job_id}/events", headers=ahead)
    assert (answer.status_code, answer.json()["title"]) == (422, "position-ahead")


@pytest.mark.dialect
async def test_of_eight_workers_each_claims_another_job(system: System) -> None:
    jobs, database = system.runtime.service.tables.jobs, system.runtime.database
    wanted = sorted(new_id() for _ in range(5))
    async with database.transaction() as tx:
        for number, job_id in enumerate(wanted):
            await jobs.ask(tx, "placements", job_id, lender_id=f"lender-{number}")

    async def claim() -> tuple[object, int] | None:
        async with database.transaction() as tx:
            found = await jobs.claim(tx, "placements")
            await asyncio.sleep(0.01)  # the others look while this one is locked
            return None if found is None else (found.id, found.epoch)

    found = [each for each in await asyncio.gather(*(claim() for _ in range(8))) if each is not None]
    assert sorted(found) == [(job_id, 1) for job_id in wanted]
    async with database.transaction() as tx:
        assert await jobs.claim(tx, "placements") is None
        await jobs.free_all(tx, "placements")
        assert (again := await jobs.claim(tx, "placements")) is not None
        assert (again.id, again.epoch, again.attempts) == (wanted[0], 2, 2)
        with pytest.raises(JobLost):
            await jobs.renew(tx, wanted[0], 1)
        await jobs.renew(tx, wanted[0], 2, done=1)
        await jobs.end(tx, wanted[0], 2, "DONE", None)
        await jobs.keep_newest(tx, "placements", 1)
        assert [row.id for row in await jobs.page(tx, ["placements"], status=None, after=None, limit=9)] == wanted[
            :0:-1
        ]


async def test_the_files_of_a_lender_are_read_one_after_the_other(system: System) -> None:
    jobs, database = system.runtime.service.tables.jobs, system.runtime.database
    first, second, other = sorted(new_id() for _ in range(3))
    async with database.transaction() as tx:
        for job_id, lender in ((first, LENDER), (second, LENDER), (other, "another")):
            await jobs.ask(tx, "placements", job_id, lender_id=lender)
        claimed = [await jobs.claim(tx, "placements") for _ in range(3)]
        assert [row and row.id for row in claimed] == [first, other, None]
        await jobs.free(tx, first, 1, due_at=system_now() + timedelta(minutes=1), counts=True)
        assert await jobs.claim(tx, "placements") is None
        await jobs.cancel(tx, first)
        assert (found := await jobs.claim(tx, "placements")) is not None
        assert found.id == second
