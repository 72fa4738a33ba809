"""The embedded form: all four services, their APIs and their workers, in one process behind one port.

It adds nothing to the services: the same apps and workers run here as in the distributed form.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.audit import app as audit_app
from services.audit import worker as audit_worker
from services.audit.settings import AuditSettings
from services.cases import app as cases_app
from services.cases import worker as cases_worker
from services.cases.settings import CasesSettings
from services.followup import app as followup_app
from services.followup import worker as followup_worker
from services.followup.settings import FollowupSettings
from services.visits import app as visits_app
from services.visits import worker as visits_worker
from services.visits.settings import VisitsSettings
from shared import migrations
from shared.business_clock import clock_to_run
from shared.runtime import Runtime, Service
from shared.settings import Settings
from shared.telemetry import Log
from shared.web import create_front
from shared.web.operations import ready_response
from shared.web.requests import DoorstepRoute
from shared.worker import Worker

READY = "/health/ready"

_log = Log("embedded")


@dataclass(frozen=True, slots=True)
class Part:
    """How one service is put together."""

    service: Service
    settings: type[Settings]
    create_app: Callable[[Runtime], FastAPI]
    create_worker: Callable[[Runtime], Worker]


PARTS = {
    part.service.name: part
    for part in (
        Part(cases_worker.SERVICE, CasesSettings, cases_app.create_app, cases_worker.create_worker),
        Part(visits_worker.SERVICE, VisitsSettings, visits_app.create_app, visits_worker.create_worker),
        Part(followup_worker.SERVICE, FollowupSettings, followup_app.create_app, followup_worker.create_worker),
        Part(audit_worker.SERVICE, AuditSettings, audit_app.create_app, audit_worker.create_worker),
    )
}


class Embedded:
    """The four services as one ASGI app. A worker that dies ends the process, so that it is started anew."""

    def __init__(self, *, data: Path, keys: Path | None, port: int, clock: datetime | None) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self.clock: datetime | None = None
        """The simulated time at which the system began or went on; None by the real clock. Known once it is up."""
        self._wanted = clock
        options = {"data_dir": data, "keys_dir": keys, "clock": clock, "cases_url": self.base_url}
        self.runtimes = {
            name: Runtime(part.service, part.settings.load(**options), None) for name, part in PARTS.items()
        }
        self._apps = {name: PARTS[name].create_app(runtime) for name, runtime in self.runtimes.items()}
        self.settings = self.runtimes["cases"].settings
        self._front = create_front(self.settings, _front_router(self.runtimes), lifespan=self._lifespan)
        self.worker_died = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app_for(scope)(scope, receive, send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._front
        first = scope["path"].removeprefix("/").partition("/")[0]
        if first in ("health", "metrics") and scope["path"] != READY:
            first = "cases"  # life and metrics of the process are the same through each service
        return self._apps.get(first, self._front)

    @asynccontextmanager
    async def _lifespan(self, _front: FastAPI) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            for name, runtime in self.runtimes.items():
                url = runtime.settings.database_url_of(name)
                await asyncio.to_thread(migrations.upgrade, runtime.service.migrations, url)
            await self._agree_on_clock()
            for app in self._apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            workers = [asyncio.create_task(self._work(name, stop)) for name in self.runtimes]
            yield
            stop.set()
            await asyncio.gather(*workers)

    async def _agree_on_clock(self) -> None:
        """All services run by one clock, also where the first start was broken off between two of them."""
        kept = {}
        for name, runtime in self.runtimes.items():
            async with runtime.database.reading() as tx:
                kept[name] = await runtime.clock.kept(tx)
        self.clock = clock_to_run(kept, self._wanted)
        for runtime in self.runtimes.values():
            runtime.clock.wanted = self.clock

    async def _work(self, name: str, stop: asyncio.Event) -> None:
        try:
            await PARTS[name].create_worker(self.runtimes[name]).run(stop)
        except Exception as error:
            _log.error("worker died", service=name, reason=type(error).__name__)
            self.failure = error
            self.worker_died.set()


def _front_router(runtimes: Mapping[str, Runtime]) -> APIRouter:
    router = APIRouter(route_class=DoorstepRoute)

    @router.get("/")
    async def welcome() -> PlainTextResponse:
        """Where the APIs and their documents are."""
        lines = [f"/{name}/v1/docs" for name in PARTS]
        return PlainTextResponse("Doorstep. The APIs and their documents:\n" + "\n".join(lines) + "\n")

    @router.get(READY)
    async def ready() -> JSONResponse:
        """The process is ready when each of its services is. 503 names what is not."""
        return await ready_response(*runtimes.values())

    return router


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
