"""Where the demo runs: the embedded system as a process of its own, or the distributed one on servers started for it.

Either is driven over HTTP from outside only. What was started is ended by its pid, also after Ctrl-C.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.audit.settings import AuditSettings
from services.embedded import PARTS, free_port
from shared.cli.output import Exit, err, fail

START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 20


@dataclass(frozen=True, slots=True)
class System:
    """A running system: where it answers, and how its trail is verified (settings of the service audit)."""

    url: str
    settings: AuditSettings


@asynccontextmanager
async def embedded(data: Path, clock: str) -> AsyncIterator[System]:
    """`doorstep up` on a free port."""
    port = free_port()
    arguments = ["up", "--port", str(port), "--data", str(data), "--clock", clock, "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
    async with _running(arguments, environment, data / "up.log"):
        url = f"http://127.0.0.1:{port}"
        await _answers(url, data / "up.log")
        yield System(url, AuditSettings(data_dir=data))


@asynccontextmanager
async def distributed(data: Path, clock: str) -> AsyncIterator[System]:
    """A local PostgreSQL, Kafka and nginx; each service's api and worker as processes of their own."""
    try:
        from deploy.dev import kafka, nginx, postgres
    except ModuleNotFoundError:
        fail(
            Exit.MISSING,
            "The distributed demo starts its servers by deploy/dev: run it in a checkout of the project.",
        )
    err.print("starting PostgreSQL and Kafka …")
    async with AsyncExitStack() as stack:
        database = await asyncio.to_thread(stack.enter_context, postgres.postgres())
        broker = await asyncio.to_thread(stack.enter_context, kafka.kafka())
        ports = {name: free_port() for name in PARTS}
        front = free_port()
        url = f"http://127.0.0.1:{front}"
        environments = {}
        for name in PARTS:
            await asyncio.to_thread(database.create_database, f"doorstep_{name}")
            environments[name] = {
                **{key: value for key, value in os.environ.items() if not key.startswith("DOORSTEP_")},
                "DOORSTEP_DATA_DIR": str(data),
                "DOORSTEP_DATABASE_URL": database.url_of(f"doorstep_{name}"),
                "DOORSTEP_KAFKA_BOOTSTRAP": broker.bootstrap,
                "DOORSTEP_CASES_URL": url,
                "DOORSTEP_CLOCK": clock,
            }
            err.print(f"starting {name} …")
            await _finished(["migrate", name], environments[name])
            for role, port in (("api", ports[name]), ("worker", free_port())):
                arguments = ["serve", name, role, "--port", str(port)]
                await stack.enter_async_context(_running(arguments, environments[name], data / f"{name}-{role}.log"))
        for name, port in ports.items():
            await _answers(f"http://127.0.0.1:{port}", data / f"{name}-api.log")
        await asyncio.to_thread(stack.enter_context, nginx.gateway(front, ports))
        await _answers(url, data / "cases-api.log")
        audit = AuditSettings(data_dir=data, database_url=environments["audit"]["DOORSTEP_DATABASE_URL"])
        yield System(url, audit)


@asynccontextmanager
async def _running(arguments: list[str], environment: dict[str, str], log: Path) -> AsyncIterator[None]:
    """A `doorstep` process, its output in a file; ended by SIGTERM, after a while by SIGKILL."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *doorstep(*arguments), env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _finished(arguments: list[str], environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(*doorstep(*arguments), env=environment)
    if await process.wait():
        fail(Exit.MISSING, f"doorstep {' '.join(arguments)} failed: see above")


def doorstep(*arguments: str) -> list[str]:
    """The command line of a `doorstep` process."""
    return [sys.executable, "-c", "from services.cli.main import main; main()", *arguments]


async def _answers(url: str, log: Path) -> None:
    """Wait until the system says that it is ready."""
    async with httpx.AsyncClient(timeout=5) as client:
        for _ in range(START_SECONDS_MAX * 10):
            try:
                if (await client.get(f"{url}/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    fail(Exit.MISSING, f"{url} was not ready within {START_SECONDS_MAX} s. The end of its log:\n{tail}")
