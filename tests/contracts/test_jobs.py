"""What every kind of job promises: one worker does it, a worker that lost it writes nothing, kill -9 in any step
doubles and loses nothing, it can be cancelled, it is tried again, it fails in words, its progress never falls."""

import asyncio
import os
import shutil
import signal
import sqlite3
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from services.embedded import PARTS
from shared import migrations
from shared.errors import Unavailable
from shared.job_runner import CRASHES_MAX, Work, do, run_next
from shared.jobs import JobLost, JobStatus
from tests.contracts import job_worlds
from tests.contracts.job_worlds import WORLDS, House, World
from tests.jobs import bring_forward, work_off
from tests.searches import THOROUGH

SECRET = "王小明 A123456789"
CHILD_SECONDS_MAX = 120


def test_every_kind_of_job_is_tried_here():
    kinds = {kind.name for part in PARTS.values() for kind in part.service.jobs}
    assert kinds == {world.kind.name for world in WORLDS}


@pytest.fixture(scope="module", params=WORLDS, ids=[world.kind.name for world in WORLDS])
def world(request) -> World:
    """One of the kinds."""
    return request.param


@pytest.fixture(scope="module")
def made(world, tmp_path_factory) -> tuple[Path, UUID]:
    """The folder of a world, and the job that waits in it."""
    folder = tmp_path_factory.mktemp(world.kind.name)
    return folder, world.make(folder)


@pytest.fixture
def folder(made, tmp_path, monkeypatch) -> Path:
    job_worlds.patch(monkeypatch)
    return Path(shutil.copytree(made[0], tmp_path / "data"))


@pytest.fixture
def job_id(made) -> UUID:
    return made[1]


@pytest.fixture
async def house(world, folder) -> AsyncIterator[House]:
    async with world.open(folder) as opened:
        yield opened


async def left_behind(house: House, kind: str) -> None:
    """The worker is gone: its claim does not count any longer."""
    async with house.runtime.database.transaction() as tx:
        await house.jobs.free_all(tx, kind)


async def claimed(house: House, world: World) -> Work:
    async with house.runtime.database.transaction() as tx:
        return Work(house.runtime, await house.jobs.claim(tx, world.kind.name))


async def test_one_of_two_workers_does_it(world, house, folder, job_id):
    async with world.open(folder) as other:
        tries = await asyncio.gather(run_next(house.runtime, world.kind), run_next(other.runtime, world.kind))
    assert sorted(tries) == [0, 1]
    job = await house.job(job_id)
    assert (job.status, job.attempts, job.problem) == ("DONE", 1, None)
    assert job.ended_at is not None
    assert await world.said(house, job_id) == world.done


async def test_a_worker_that_lost_the_job_writes_nothing(world, house, job_id):
    slow = await claimed(house, world)
    await left_behind(house, world.kind.name)
    assert await run_next(house.runtime, world.kind) == 1
    after = await house.job(job_id)
    with pytest.raises(JobLost):
        await do(slow, world.kind)
    with pytest.raises(JobLost):
        await slow.report(done=99, step="LATE")
    assert await house.job(job_id) == after
    assert await world.said(house, job_id) == world.done


async def test_a_job_that_is_cancelled_stops_and_stays_so(world, house, job_id):
    work = await claimed(house, world)
    shown = await house.post(f"/jobs/{job_id}/cancel", role=world.role)
    assert shown["status"] == "CANCELLED"
    with pytest.raises(JobLost):
        await do(work, world.kind)
    await left_behind(house, world.kind.name)
    assert await run_next(house.runtime, world.kind) == 0
    said = await world.said(house, job_id)
    assert said == [] if world.cancelled is None else said[0] == world.cancelled
    again = await house.post(f"/jobs/{job_id}/cancel", expect=409, role=world.role)
    assert again["title"] == "job-ended"


async def test_a_try_that_broke_is_repeated_after_a_while(world, house, job_id):
    tries = []

    async def flaky(work: Work) -> None:
        tries.append(work.attempts)
        if len(tries) == 1:
            raise RuntimeError(SECRET)
        await world.kind.work(work)

    kind = replace(world.kind, work=flaky)
    assert [await run_next(house.runtime, kind) for _ in range(2)] == [1, 0]
    waiting = await house.job(job_id)
    assert (waiting.status, waiting.problem) == ("WAITING", None)
    await bring_forward(house.runtime)
    assert await run_next(house.runtime, kind) == 1
    assert tries == [1, 2]
    assert await world.said(house, job_id) == world.done


async def test_a_failure_is_told_in_words_without_data(world, house, folder, job_id, caplog):
    async def broken(_work: Work) -> None:
        raise RuntimeError(SECRET)

    assert await work_off(house.runtime, replace(world.kind, work=broken)) == world.kind.tries_max
    job = await house.job(job_id)
    assert (job.status, job.problem) == ("FAILED", f"{world.kind.broken} (RuntimeError)")
    said = await world.said(house, job_id)
    assert said[0] == world.failed
    assert world.kind.broken in said[1]
    assert SECRET not in caplog.text
    with sqlite3.connect(folder / f"{world.service}.sqlite3") as database:
        assert SECRET not in "\n".join(database.iterdump())
    database.close()


async def test_what_is_away_is_waited_for_and_no_try_is_counted(world, house, job_id):
    async def away(_work: Work) -> None:
        raise Unavailable("cases-unreachable", "The service cases does not answer.")

    with pytest.raises(Unavailable):
        await run_next(house.runtime, replace(world.kind, work=away))
    job = await house.job(job_id)
    assert (job.status, job.attempts) == ("WAITING", 0)
    assert await work_off(house.runtime, world.kind) == 0
    await bring_forward(house.runtime)
    assert await run_next(house.runtime, world.kind) == 1
    assert await world.said(house, job_id) == world.done


async def test_a_job_that_kills_its_worker_again_and_again_is_given_up(world, house, job_id):
    for _ in range(CRASHES_MAX):
        await claimed(house, world)
        await left_behind(house, world.kind.name)
    assert await run_next(house.runtime, world.kind) == 1
    job = await house.job(job_id)
    assert job.status == "FAILED"
    assert f"stopped {CRASHES_MAX} times" in job.problem


async def test_progress_rises_to_the_total(world, house, job_id, monkeypatch):
    """Also where the work begins again."""
    seen = []
    change = house.jobs._change

    async def noting(tx: Any, *which: Any, **values: Any) -> None:
        await change(tx, *which, **values)
        row = await house.jobs.get(tx, job_id)
        seen.append((row.done, row.revision))

    monkeypatch.setattr(house.jobs, "_change", noting)
    work = await claimed(house, world)
    await work.report(done=1)
    await left_behind(house, world.kind.name)
    assert await run_next(house.runtime, world.kind) == 1
    assert seen == sorted(seen)
    job = await house.job(job_id)
    assert job.total in (job.done, 0)  # a verification without logs has none


@pytest.mark.parametrize("world", WORLDS[:3], ids=lambda world: world.kind.name, indirect=True)
def test_what_was_under_way_in_the_release_before_is_finished(world, folder, job_id):
    """The tables go back to those of the release before, and forward again."""
    service = PARTS[world.service].service
    history = migrations.config_of(service.migrations, world.settings(folder).database_url_of(service.name))
    [before] = [
        each.down_revision
        for each in ScriptDirectory.from_config(history).walk_revisions()
        if each.path.endswith("_jobs.py")
    ]
    command.downgrade(history, before)
    command.upgrade(history, "head")
    assert asyncio.run(resumed(world, folder, job_id)) == (JobStatus.DONE, world.done)


# --- kill -9


def counted(house: House, at: Callable[[int, str], None]) -> None:
    """Say of each transaction when it is about to commit and when it has."""
    database, number = house.runtime.database, 0
    transaction = database.transaction

    @asynccontextmanager
    async def counting(*args: Any, **options: Any) -> AsyncIterator[Any]:
        nonlocal number
        async with transaction(*args, **options) as tx:
            yield tx
            number += 1
            this = number
            at(this, "before")
        at(this, "after")

    database.transaction = counting  # type: ignore[method-assign]


async def work_in(world: World, folder: Path, at: Callable[[int, str], None]) -> None:
    async with world.open(folder) as house:
        counted(house, at)
        await run_next(house.runtime, world.kind)


def kill_at(world: World, folder: Path, step: tuple[int, str]) -> None:
    """A process that works on the job and kills itself there."""

    def at(number: int, when: str) -> None:
        if (number, when) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, from Python 3.12 on
        child = os.fork()
    if child == 0:
        signal.alarm(CHILD_SECONDS_MAX)  # a child that hangs ends by another signal
        try:
            asyncio.run(work_in(world, folder, at))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def steps_of(world: World, folder: Path) -> Iterator[tuple[int, str]]:
    """Each step of the work; in `make test` the first and the last that can leave something behind."""
    seen: list[tuple[int, str]] = []
    asyncio.run(work_in(world, folder, lambda number, when: seen.append((number, when))))
    return iter(seen if THOROUGH else [seen[1], seen[-2]])


@pytest.mark.search
def test_kill_9_in_a_step_loses_and_doubles_nothing(world, made, folder, tmp_path):
    original, job_id = made
    for number, step in enumerate(steps_of(world, folder)):
        copy = Path(shutil.copytree(original, tmp_path / f"kill-{number}"))
        kill_at(world, copy, step)
        assert asyncio.run(resumed(world, copy, job_id)) == (JobStatus.DONE, world.done), step


async def resumed(world: World, folder: Path, job_id: UUID) -> tuple[str, Any]:
    """What is known of the job once the next worker has gone on with it."""
    async with world.open(folder) as house:
        await left_behind(house, world.kind.name)
        await work_off(house.runtime, world.kind)
        return (await house.job(job_id)).status, await world.said(house, job_id)
