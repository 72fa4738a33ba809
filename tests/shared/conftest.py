"""A small service made of nothing but the foundation: what shared/ promises is tried on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import keys
from shared.auth import DEVELOPMENT_ISSUER, Actor, Role, allow, issue_token
from shared.errors import Conflict
from shared.events.cases import CaseReleased
from shared.ids import new_id
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.tenants import owned
from shared.web import ReadTx, Tx, create_app, room

METADATA = MetaData()
TABLES = service_tables(METADATA)
NOTES = Table(
    "note",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("text", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    **owned(tenant=None, because="A table of tests."),
)
SERVICE = Service("cases", TABLES, Path("unused"))


class WriteNote(BaseModel):
    text: str


router = room("cases", tag="notes")
Writer = Annotated[Actor, allow(Role.SUPERVISOR)]


@router.post("/notes", status_code=201)
async def write_note(body: WriteNote, _actor: Writer, tx: Tx, response: Response) -> dict[str, str]:
    note_id = new_id()
    await tx.session.execute(insert(NOTES).values(id=note_id, text=body.text, version=1))
    tx.publish_as(CaseReleased(case_id=note_id, hold_id=note_id, reason="X"), subject=note_id, version=1, key=note_id)
    if body.text == "refuse":
        raise Conflict("refused", "This text is refused.")
    if body.text == "crash":
        raise RuntimeError("a secret that must not be shown")
    response.headers["Location"] = f"/cases/v1/notes/{note_id}"
    return {"id": str(note_id), "text": body.text}


@router.get("/notes")
async def read_notes(_actor: Writer, tx: ReadTx) -> list[str]:
    return list(await tx.session.scalars(select(NOTES.c.text).order_by(NOTES.c.id)))


async def create_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)


class Caller:
    """Somebody with a token, on an HTTP client."""

    def __init__(self, client: httpx.AsyncClient, token: str | None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._client.get(path, headers={**self._headers, **headers})

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self._client.post(path, json=body, headers={**self._headers, **headers})


class System:
    def __init__(self, runtime: Runtime, client: httpx.AsyncClient, app: FastAPI) -> None:
        self.runtime = runtime
        self.client = client
        self.app = app

    def token(self, *roles: Role, seconds: int = 600, **claims: Any) -> str:
        key = keys.private_key(None, settings=self.runtime.settings, name="issuer")
        return issue_token(
            key,
            key_id=keys.key_id(key.public_key()),
            issuer=DEVELOPMENT_ISSUER,
            audience="doorstep",
            subject=claims.pop("subject", "somebody"),
            roles=roles,
            seconds=seconds,
            **claims,
        )

    def caller(self, *roles: Role, **claims: Any) -> Caller:
        return Caller(self.client, self.token(*roles, **claims))

    def bearing(self, token: str | None) -> Caller:
        return Caller(self.client, token)

    async def outbox(self) -> list[UUID]:
        async with self.runtime.database.reading() as tx:
            return list(await tx.session.scalars(select(TABLES.bus.outbox.c.aggregate_id)))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    app = create_app(runtime, title="Notes", routers=[router])
    await create_tables(runtime.database.engine)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://doorstep") as client:
            yield System(runtime, client, app)


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with running(Settings(data_dir=tmp_path)) as running_system:
        yield running_system


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[System]:
    async with running(Settings(data_dir=tmp_path, clock=datetime(2026, 3, 2, 1, 0, tzinfo=UTC))) as running_system:
        yield running_system


@pytest.fixture
def running_with(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[System]]:
    """Start a system with these settings: `async with running_with(json_bytes_max=1_000) as system`."""
    return lambda **settings: running(Settings(data_dir=tmp_path, **settings))
