"""HTTP: one read and one `complete`, each by a real server process, one call after another on one connection.

The floors are a bare FastAPI route with the same token check and the same number of statements in one transaction,
through a SQLAlchemy session and through asyncpg.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event, select

from deploy.dev.processes import free_port
from services.cases.app import create_app as create_cases
from services.cases.casefile.tables import CaseRow
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE as CASES
from services.cli.demo.acts import FIT_COLLECTOR
from services.cli.demo.systems import doorstep
from services.cli.processes import development_token
from services.visits.app import create_app as create_visits
from services.visits.caseload.tables import CaseloadRow
from services.visits.people.schemas import CollectorBody
from services.visits.people.usecases import register_collector
from services.visits.settings import VisitsSettings
from services.visits.visit.domain import VisitStatus
from services.visits.visit.tables import VisitRow
from services.visits.visit.usecases import PlannedStop, plan_visit, store_planned
from services.visits.worker import SERVICE as VISITS
from shared import keys
from shared.auth import Role
from shared.clock import system_now
from shared.ids import new_id
from shared.runtime import Runtime
from shared.settings import Settings
from tests.actors.samples import DIGEST
from tests.bench.figures import REPETITIONS, Figure
from tests.bench.intake import _take_in
from tests.bench.stage import Stage, environment

CALLS = 100
PATIENCE_SECONDS = 60


async def measure(stage: Stage) -> list[Figure]:
    return [await _reading(stage), await _completing(stage)]


def _token(settings: Settings) -> str:
    """The token of a person, by keys of the issuer that are made now, as at the first start of a system."""
    keys.private_key(None, settings=settings, name="issuer")
    return development_token(settings, Role.SUPERVISOR)


async def _reading(stage: Stage) -> Figure:
    settings = await stage.settings(CasesSettings)
    async with stage.runtime(CASES, settings) as runtime:
        token = _token(settings)
        await _take_in(runtime, 0)
        async with runtime.database.reading() as tx:
            case_ids = (await tx.session.scalars(select(CaseRow.id).limit(CALLS))).all()
        requests = [_request("GET", f"/cases/v1/cases/{case_id}", token) for case_id in case_ids]
        counted = await _statements(runtime, create_cases(runtime), "GET", f"/cases/v1/cases/{case_ids[0]}", token)
    ours = []
    async with _serving(doorstep("serve", "cases", "api"), settings) as port:
        await _call(port, requests)
        ours = [await _call(port, requests) for _ in range(REPETITIONS)]
    return await _figure("HTTP: read one case, p50", ours, counted, settings, token)


async def _completing(stage: Stage) -> Figure:
    settings = await stage.settings(VisitsSettings)
    async with stage.runtime(VISITS, settings) as runtime:
        token = _token(settings)
        visits = await checked_in(runtime, CALLS * (REPETITIONS + 1) + 1)
        path = f"/visits/v1/visits/{visits.pop().id}/complete"
        counted = await _statements(runtime, create_visits(runtime), "POST", path, token, record())
    requests = [
        _request("POST", f"/visits/v1/visits/{visit.id}/complete", token, record(), key=str(visit.id))
        for visit in visits
    ]
    async with _serving(doorstep("serve", "visits", "api"), settings) as port:
        ours = [await _call(port, requests[n * CALLS : (n + 1) * CALLS]) for n in range(REPETITIONS + 1)][1:]
    return await _figure("HTTP: complete a visit, p50", ours, counted, settings, token)


async def _figure(name: str, ours: Sequence[float], counted: tuple[int, int], settings: Settings, token: str) -> Figure:
    reads, writes = counted
    floors = {}
    bare = [sys.executable, "-m", "tests.bench.bare"]
    more = [settings.database_url or "", str(settings.keys_path / "issuer.jwks.json"), settings.oidc_audience]
    async with _serving(bare, settings, more) as port:
        for way in ("sqlalchemy", "asyncpg"):
            requests = [_request("GET", f"/{way}/{reads}/{writes}", token)] * CALLS
            await _call(port, requests)
            floors[f"bare FastAPI, {way}"] = [await _call(port, requests) for _ in range(REPETITIONS)]
    note = f"{reads} statements that read and {writes} that write, in one transaction"
    return Figure(name, "ms", ours, floors, note)


async def checked_in(runtime: Runtime, count: int) -> list[VisitRow]:
    """Visits whose two collectors, the same for all, have arrived, each of a case of its own."""
    now = system_now()
    visits = []
    async with runtime.database.transaction() as tx:
        crew = [(await register_collector(tx, CollectorBody(**FIT_COLLECTOR))).id for _ in range(2)]
        for _ in range(count):
            case = CaseloadRow(
                id=new_id(), lender_id="lender-1", opened=True, jurisdiction="tw", country="TW", product="CREDIT_CARD",
                time_zone="Asia/Taipei", currency="TWD", balance_minor=25_000_000, days_past_due=60, holds={},
                active_promises=[], contact_visits=[], wanted=True, address_verified=True, hazard=False,
            )  # fmt: skip
            stop = PlannedStop(UUID(int=9), crew, 0, now, now + timedelta(hours=1), (25.0, 121.5))
            visit = plan_visit(case, stop, plan_id=UUID(int=8))
            visit.status, visit.started_at = VisitStatus.CHECKED_IN, now
            visit.check_ins = {ref: {"device_time": now.isoformat()} for ref in visit.collector_ids}
            tx.session.add(case)
            await store_planned(tx, [(visit, stop.position)])
            visits.append(visit)
    return visits


def record() -> dict[str, Any]:
    due_on = date.today() + timedelta(days=7)  # noqa: DTZ011 - any day soon
    return {
        "ended_at": system_now().isoformat(),
        "disposition": "PROMISE_TO_PAY",
        "person_met": "DEBTOR",
        "statement": "下週還一半。",
        "authority_shown": True,
        "credentials_shown": True,
        "evidence": [{"digest": DIGEST, "media_type": "video/mp4", "size_bytes": 1000}],
        "promise": {"instalments": [{"due_on": str(due_on), "amount": {"amount": "50000", "currency": "TWD"}}]},
    }


async def _statements(
    runtime: Runtime, app: Any, method: str, path: str, token: str, body: Any = None
) -> tuple[int, int]:
    """How many statements one call executes: those that read, and those that write."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", note)
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": "counted"} if body else {})
    async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
        answer = await client.request(method, path, headers=headers, json=body)
    assert answer.status_code == 200, answer.text
    reads = sum(statement.startswith("SELECT") for statement in seen)
    return reads, len(seen) - reads


def _request(method: str, path: str, token: str, body: Any = None, key: str | None = None) -> bytes:
    content = json.dumps(body).encode() if body else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}"]
    lines += [f"Idempotency-Key: {key}"] if key else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if content else []
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _call(port: int, requests: Sequence[bytes]) -> float:
    """Milliseconds of the middle call."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for request in requests:
        started = perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
        times.append(1000 * (perf_counter() - started))
        assert head.startswith(b"HTTP/1.1 200"), body
    writer.close()
    return median(times)


@asynccontextmanager
async def _serving(command: list[str], settings: Settings, more: Sequence[str] = ()) -> AsyncIterator[int]:
    """A server process on a free port, ended by its pid."""
    port = free_port()
    place = [str(port), *more] if more else ["--port", str(port)]
    # Started before anything is timed, so that it may block.
    process = subprocess.Popen([*command, *place], env=environment(settings), stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    await client.get("/health/live")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()
