"""Routes that every service has for those who run it: health, metrics, and the clock of a simulation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared import migrations
from shared.auth import Actor, Role, allow, public
from shared.bodies import Body
from shared.bus.relay import outbox_pending
from shared.bus.transport import TransportClosed, TransportDown
from shared.bus.watchdog import NOT_READY_SECONDS, lag_of
from shared.database import Transaction
from shared.errors import Conflict
from shared.law import StatedMoment
from shared.runtime import Runtime
from shared.web.requests import DoorstepRoute, ReadTx, Tx


def health_router(runtime: Runtime) -> APIRouter:
    router = APIRouter(tags=["operations"], dependencies=[public], route_class=DoorstepRoute)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "alive"}

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        """Database, bus, migrations and room on the disk are as they must be. 503 names what is not."""
        return await ready_response(runtime)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics of this process."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def ready_response(*runtimes: Runtime) -> JSONResponse:
    """Whether all services of this process are ready: 200, or 503 with the first fault of each kind, by its service."""
    checks: dict[str, str] = {}
    for runtime in runtimes:
        for name, state in (await readiness(runtime)).items():
            if checks.get(name, "ok") == "ok":
                checks[name] = state if state == "ok" or len(runtimes) == 1 else f"{runtime.service.name}: {state}"
    good = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ready" if good else "not ready", "checks": checks}, 200 if good else 503)


async def readiness(runtime: Runtime) -> dict[str, str]:
    """Each thing that this process needs: "ok", or what is wrong."""
    checks = {"database": "ok", "bus": "ok", "migrations": "ok", "storage": runtime.database.storage.state}
    try:
        async with runtime.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        applied = await migrations.applied_revision(runtime.database)
        if applied != migrations.newest_revision(runtime.service.migrations):
            checks["migrations"] = f"behind: run `doorstep migrate {runtime.service.name}`"
    except (SQLAlchemyError, OSError) as error:
        checks["database"] = checks["migrations"] = f"unreachable ({type(error).__name__})"
    try:
        await runtime.transport.ends(runtime.service.listens_to)
    except (TransportDown, TransportClosed) as error:
        checks["bus"] = f"unreachable ({type(error).__name__})"
    writing, writing_max = runtime.database.writing_seconds, runtime.settings.writer_seconds_max
    if writing > writing_max:
        checks["writer"] = f"one transaction writes for {writing:.0f} s already; at most {writing_max:g} s are usual"
    for watchdog in runtime.watchdogs:
        if watchdog.halted:  # this route is public, and the reason may name a lender: the status of the trail says why
            checks["consumer"] = "halted until a person has looked"
        elif watchdog.stalled_seconds > NOT_READY_SECONDS:
            checks["consumer"] = f"no progress for {watchdog.stalled_seconds:.0f} s although events wait"
    return checks


class ClockView(BaseModel):
    """A service's business time, and whether all that was due by then has been done. The counts let two looks be
    compared: a system is quiet when all its services are, and none of them did anything in between."""

    now: datetime
    simulated: bool
    quiet: bool
    outbox_pending: int
    lag: int
    timers_behind: list[str]
    consumed: int


class MoveClock(Body):
    to: StatedMoment


Operator = Annotated[Actor, allow(Role.ADMIN)]


def clock_router(runtime: Runtime) -> APIRouter:
    router = APIRouter(prefix=f"/{runtime.service.name}/v1", tags=["operations"], route_class=DoorstepRoute)

    @router.get("/clock")
    async def read_clock(_actor: Operator, tx: ReadTx) -> ClockView:
        """The business time, and whether this service is quiet."""
        return await clock_view(runtime, tx)

    @router.post("/clock")
    async def move_clock(body: MoveClock, _actor: Operator, tx: Tx) -> ClockView:
        """Move a simulated clock forward. Refused while something due is still to be done."""
        view = await clock_view(runtime, tx)
        if not view.quiet:
            raise Conflict("clock-not-quiet", "Something due is still under way. Ask again until quiet is true.")
        await runtime.clock.move(tx, body.to)
        return await clock_view(runtime, tx)

    return router


async def clock_view(runtime: Runtime, tx: Transaction) -> ClockView:
    service = runtime.service
    pending = await outbox_pending(tx, service.tables.bus)
    ends = await runtime.transport.ends(service.listens_to) if service.listens_to else {}
    reached = await service.positions(tx, service.tables.bus, service.name)
    lag, beyond = lag_of(ends, reached)
    behind = await _timers_behind(runtime, tx)
    return ClockView(
        now=tx.now,
        simulated=runtime.clock.simulated,
        quiet=not (pending or lag or beyond or behind),
        outbox_pending=pending,
        lag=lag,
        timers_behind=behind,
        consumed=sum(reached.values()),
    )


async def _timers_behind(runtime: Runtime, tx: Transaction) -> Sequence[str]:
    if not runtime.clock.simulated:
        return []
    return await runtime.clock.timers_behind(
        tx, frozenset(timer.name for timer in runtime.service.all_timers if timer.awaited)
    )
