"""One service as it runs, in the process of its test: its app over HTTP, its handlers fed as the bus feeds them. Each
service's conftest.py says what its world looks like; the clock is simulated, and stands still until a test moves it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import select, update

from services.cli.demo.actors import Actor
from shared import keys
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.bus.transport import Partition, Record
from shared.events.envelope import ActorRef, Envelope, Event
from shared.events.registry import TOPICS
from shared.ids import new_id
from shared.runtime import Runtime

LENDER = "lender-1"


class OneService:
    """`hear` lets events arrive, `get` and `post` ask over HTTP, `published` shows what came of it."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client
        self._root = f"/{runtime.service.name}/v1"
        self._consumer = runtime.consumer()
        self._offset = 0

    async def hear(
        self,
        *events: Event,
        lender_id: str | None = LENDER,
        key: Any = None,
        at: datetime | None = None,
        **more: Any,
    ) -> None:
        """Events arrive as one batch of the bus; `key` for those of no case, `at` when they happened, `more` of their
        envelopes."""
        records = [self._record(event, lender_id, key or event.case_id, at, more) for event in events]
        await self._consumer.handle_batch(records)

    def _record(
        self, event: Event, lender_id: str | None, key: Any, at: datetime | None, more: dict[str, Any]
    ) -> Record:
        self._offset += 1
        envelope = Envelope(
            event_id=new_id(),
            source=f"/{TOPICS[event.topic].owner}",
            type=event.type,
            occurred_at=at or self.runtime.settings.clock,
            subject=key,
            partition_key=key,
            actor=ActorRef("supervisor", "s-1"),
            correlation_id="thread-1",
            lender_id=lender_id,
            **({"sequence": self._offset} | more),
        )
        value = event.model_dump_json(exclude_none=True).encode()
        return Record(Partition(event.topic, 0), self._offset, str(key), envelope.headers(), value)

    async def at(self, now: datetime) -> None:
        """The clock shows this time."""
        async with self.runtime.database.transaction() as tx:
            await tx.session.execute(update(self.runtime.service.tables.clock.clock).values(now=now))

    async def get(
        self, path: str, expect: int = 200, role: Role = Role.SUPERVISOR, lender_id: str = LENDER, **query: Any
    ) -> Any:
        headers = self.bearer(role, lender_id=lender_id)
        answer = await self.client.get(self._root + path, headers=headers, params=query or None)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def post(
        self, path: str, body: Any = None, expect: int = 200, role: Role = Role.SUPERVISOR, **who: Any
    ) -> Any:
        answer = await self.client.post(self._root + path, json=body, headers=self.bearer(role, **who))
        assert answer.status_code == expect, answer.text
        return answer.json()

    def bearer(self, role: Role = Role.SUPERVISOR, **who: Any) -> dict[str, str]:
        return bearer(self.runtime, role, **who)

    def actor(self, role: Role = Role.SUPERVISOR, **who: Any) -> Actor:
        """A person who plays the acts of the demo."""
        return Actor(self.client, token(self.runtime, role, **who), role)

    async def published(self) -> list[tuple[str, dict[str, str], bytes]]:
        """What the service published, in order: short type, headers, payload."""
        outbox = self.runtime.service.tables.bus.outbox
        async with self.runtime.database.reading() as tx:
            rows = (await tx.session.execute(select(outbox.c.headers, outbox.c.payload).order_by(outbox.c.seq))).all()
        found = [(json.loads(row.headers), row.payload) for row in rows]
        return [(headers["ce_type"].split(".")[2], headers, payload) for headers, payload in found]

    async def types(self) -> list[str]:
        return [kind for kind, _, _ in await self.published()]


def bearer(runtime: Runtime, role: Role, **who: Any) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {token(runtime, role, **who)}"}


def token(runtime: Runtime, role: Role, subject: str = "a-person", lender_id: str = LENDER, seconds: int = 600) -> str:
    """A token of the development issuer. A lender is LENDER unless another is named."""
    key = keys.private_key(None, settings=runtime.settings, name="issuer")
    return issue_token(
        key,
        key_id=keys.key_id(key.public_key()),
        issuer=DEVELOPMENT_ISSUER,
        audience="doorstep",
        subject=subject,
        roles=[role],
        seconds=seconds,
        lender_id=lender_id if role is Role.LENDER else None,
    )


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The app, started, and a client that asks it without a socket."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://doorstep") as client:
            yield client
