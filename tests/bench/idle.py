"""A worker that has nothing to do: how often it asks its database, and whether it grows. Ten minutes of cases' worker,
a process of its own on PostgreSQL and Kafka; the other parts are measured meanwhile, since it needs next to nothing.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from deploy.dev.processes import free_port
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE, create_worker
from services.cli.demo.systems import doorstep
from shared.settings import Settings
from tests.bench.figures import Figure
from tests.bench.stage import Stage, connect, environment

WARM_SECONDS = 60
IDLE_SECONDS = 600
LOOKS = 5  # of memory, a second apart


async def measure(stage: Stage) -> list[Figure]:
    settings = await stage.settings(CasesSettings)
    async with stage.runtime(SERVICE, settings) as runtime:
        loops = len(create_worker(runtime).loops)
    connection = await connect(settings)
    with _worker(settings) as pid:
        await asyncio.sleep(WARM_SECONDS)
        before, asked_before = await _memory(pid), await _transactions(connection)
        await asyncio.sleep(IDLE_SECONDS - WARM_SECONDS)
        after, asked = await _memory(pid), await _transactions(connection) - asked_before
    await connection.close()
    return [
        Figure(
            f"idle: memory of a worker after {IDLE_SECONDS // 60} minutes", "MiB", after, {"after a minute": before}
        ),
        Figure(
            "idle: transactions of a worker",
            "a second",
            [asked / (IDLE_SECONDS - WARM_SECONDS)],
            {"its loops, each once a second": [float(loops)]},
            note="the statistics' own reading of the server is among them",
        ),
    ]


@contextlib.contextmanager
def _worker(settings: Settings) -> Iterator[int]:
    process = subprocess.Popen(
        [*doorstep("serve", "cases", "worker"), "--port", str(free_port())], env=environment(settings)
    )
    try:
        yield process.pid
        assert process.poll() is None, "the worker ended before it was told to"
    finally:
        process.terminate()
        process.wait()


async def _memory(pid: int) -> list[float]:
    """Resident memory in MiB, some looks in a row."""
    found = []
    for _ in range(LOOKS):
        await asyncio.sleep(1)
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        found.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return found


async def _transactions(connection: asyncpg.Connection) -> int:
    """How many the database has seen, whoever asked."""
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    return int(await connection.fetchval(statement))
