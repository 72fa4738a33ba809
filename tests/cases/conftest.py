"""cases as it runs: its app over HTTP, its intake, and its handlers fed with the events of the other services."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.cases.app import create_app
from services.cases.placements.jobs import take_next_placement
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared import keys, migrations
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.bus.transport import Partition, Record
from shared.events.envelope import ActorRef, Envelope, Event
from shared.ids import new_id
from shared.runtime import Runtime
from tests.house import PROFILE, file_of, row

LENDER = "lender-1"
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a Monday, in Taipei


class System:
    """A cases with a simulated clock: it is noon on Monday, in Taipei."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client
        self._offset = 0

    async def hear(self, event: Event, *, key: Any) -> None:
        """An event arrives from the bus."""
        self._offset += 1
        envelope = Envelope(
            event_id=new_id(),
            source="/visits",
            type=event.type,
            occurred_at=NOON,
            subject=key,
            partition_key=key,
            sequence=self._offset,
            actor=ActorRef("compliance", "o-1"),
            correlation_id="thread-1",
        )
        value = event.model_dump_json(exclude_none=True).encode()
        record = Record(Partition(event.topic, 0), self._offset, str(key), envelope.headers(), value)
        await self.runtime.consumer().handle_batch([record])

    async def place(self, *accounts: str, **profile: Any) -> list[str]:
        """A lender's file is taken in. Returns the ids of its cases, in the order of their accounts."""
        await self.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
        path = f"/cases/v1/lenders/{LENDER}/profile"
        await self.client.put(path, json=PROFILE | profile, headers=self.bearer(Role.ADMIN))
        headers = self.bearer(Role.LENDER) | {"Content-Type": "text/csv"}
        content = file_of(*(row(account) for account in accounts))
        answer = await self.client.post("/cases/v1/placements", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        assert await take_next_placement(self.runtime) == 1
        items = (await self.get("/cases"))["items"]
        return [case["id"] for case in sorted(items, key=lambda case: case["accounts"][0]["account_ref"])]

    async def get(self, path: str, expect: int = 200, role: Role = Role.SUPERVISOR, **query: Any) -> Any:
        answer = await self.client.get(f"/cases/v1{path}", headers=self.bearer(role), params=query)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, expect: int = 200, role: Role = Role.SUPERVISOR) -> Any:
        answer = await self.client.post(f"/cases/v1{path}", json=body, headers=self.bearer(role))
        assert answer.status_code == expect, answer.text
        return answer.json()

    def bearer(self, role: Role) -> dict[str, str]:
        key = keys.private_key(None, settings=self.runtime.settings, name="issuer")
        token = issue_token(
            key,
            key_id=keys.key_id(key.public_key()),
            issuer=DEVELOPMENT_ISSUER,
            audience="doorstep",
            subject="somebody",
            roles=[role],
            seconds=600,
            lender_id=LENDER if role is Role.LENDER else None,
        )
        return {"Authorization": f"Bearer {token}"}

    async def published(self) -> list[str]:
        """The short types of what cases published, in order."""
        outbox = SERVICE.tables.bus.outbox
        async with self.runtime.database.reading() as tx:
            headers = (await tx.session.scalars(select(outbox.c.headers).order_by(outbox.c.seq))).all()
        return [line.split('"ce_type": "')[1].split(".")[2] for line in headers]


@asynccontextmanager
async def running(settings: CasesSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    app = create_app(runtime)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://doorstep") as client:
            yield System(runtime, client)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> CasesSettings:
    options: dict[str, Any] = {"data_dir": tmp_path, "clock": NOON}
    if request.param == "postgresql":
        create: Callable[[], str] = request.getfixturevalue("fresh_database")
        options["database_url"] = create()
    found = CasesSettings(**options)
    migrations.upgrade(SERVICE.migrations, found.database_url_of("cases"))
    return found


@pytest.fixture
async def system(settings: CasesSettings) -> AsyncIterator[System]:
    async with running(settings) as running_system:
        yield running_system
