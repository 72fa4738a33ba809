"""What every stream over HTTP promises, whichever room it is of: each item once from any position, a plain answer to a
wrong position, an end with the reader's token, and nothing for those who may not read. A new stream joins `STREAMS`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE as AUDIT
from services.visits.app import create_app
from services.visits.base import STREAMS as STREAMS_OF_VISITS
from services.visits.building.watching import add_progress
from services.visits.settings import VisitsSettings
from services.visits.worker import SERVICE as VISITS
from shared.auth import Role
from shared.ids import new_id
from shared.runtime import Runtime
from shared.web import streams
from tests.audit.desk import held, running_desk
from tests.databases import database, migrated
from tests.one_service import bearer, client_of
from tests.visits.conftest import System


@dataclass
class Watched:
    """A stream of a running service: `write` adds items to it, `item` is what its items are called."""

    runtime: Runtime
    client: Any
    path: str
    reader: Role
    others: dict[Role, int]
    item: str
    write: Callable[[int], Awaitable[None]]

    async def ask(self, last: object = None, role: Role | None = None, seconds: int = 600, **query: Any) -> Any:
        headers = bearer(self.runtime, role or self.reader, seconds=seconds)
        headers |= {} if last is None else {"Last-Event-ID": str(last)}
        return await self.client.get(self.path, headers=headers, params=query)

    async def items(self, last: object) -> list[tuple[str, str]]:
        """Id and data of the items after a position, until nothing more is there."""
        answer = await self.ask(last)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [dict(line.split(": ", 1) for line in each.splitlines()) for each in answer.text.split("\n\n") if each]
        return [(each["id"], each["data"]) for each in events if each["event"] == self.item]


@asynccontextmanager
async def progress_of_a_plan(settings: VisitsSettings) -> AsyncIterator[Watched]:
    runtime = Runtime(VISITS, settings)
    async with client_of(create_app(runtime)) as client:
        system = System(runtime, client)
        await system.team()
        plan = await system.post("/day-plans", {"day": "2026-03-02"}, 202)
        costs = iter(range(1_000, 0, -1))

        async def write(count: int) -> None:
            async with runtime.database.transaction() as tx:
                for _ in range(count):
                    await add_progress(tx, plan["id"], 1.0, next(costs))
            await STREAMS_OF_VISITS.timer().run(runtime)

        others = {Role.LENDER: 404, Role.COLLECTOR: 403, Role.COMPLIANCE: 403}
        path = f"/visits/v1/day-plans/{plan['id']}/progress"
        yield Watched(runtime, client, path, Role.SUPERVISOR, others, "progress", write)


@asynccontextmanager
async def log_of_a_lender(settings: AuditSettings) -> AsyncIterator[Watched]:
    async with running_desk(settings) as desk:

        async def write(count: int) -> None:
            for _ in range(count):
                case = new_id()
                await desk.hear(held(case), subject=case)
            await desk.settle()

        await write(1)
        others = {Role.LENDER: 404, Role.COLLECTOR: 403, Role.SUPERVISOR: 403}
        path = "/audit/v1/logs/lender-1/watch"
        yield Watched(desk.runtime, desk.client, path, Role.COMPLIANCE, others, "entry", write)


STREAMS = {
    "progress of a plan": (progress_of_a_plan, VISITS, partial(VisitsSettings, clock=datetime(2026, 3, 2, tzinfo=UTC))),
    "log of a lender": (log_of_a_lender, AUDIT, AuditSettings),
}


@pytest.fixture(params=STREAMS)
def stream(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Any:
    """What opens a stream, with the settings of its service: made here, since a migration has a loop of its own."""
    opens, service, settings = STREAMS[request.param]
    return partial(opens, migrated(settings(data_dir=tmp_path, **database(request, service)), service))


@pytest.fixture
async def watched(stream: Any) -> AsyncIterator[Watched]:
    async with stream() as found:
        yield found


@pytest.fixture
def until_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream ends when nothing more is there, as if the token ended then."""

    async def wait(_actor: object, seconds: float) -> bool:
        return not seconds

    monkeypatch.setattr(streams, "wait", wait)


@pytest.mark.dialect
async def test_each_item_is_seen_once_from_any_position(watched: Watched, until_quiet: None) -> None:
    await watched.write(5)
    seen = await watched.items(0)
    positions = [int(position) for position, _ in seen]
    assert positions == list(range(1, len(seen) + 1))
    assert len(seen) >= 5
    assert len({data for _, data in seen}) == len(seen)
    await watched.write(2)
    more = await watched.items(positions[-1])
    assert [int(position) for position, _ in more] == [positions[-1] + 1, positions[-1] + 2]
    for place, position in enumerate((0, *positions)):
        assert await watched.items(position) == seen[place:] + more


async def test_a_stream_ends_with_the_token(watched: Watched) -> None:
    async with asyncio.timeout(10):
        answer = await watched.ask(0, seconds=1)
    assert (answer.status_code, "event: done" in answer.text) == (200, False)


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "1.5", "٣", "", "9007199254740992"])
async def test_a_position_that_is_none_is_refused(watched: Watched, last: str) -> None:
    answer = await watched.client.get(
        watched.path, headers=bearer(watched.runtime, watched.reader) | {"Last-Event-ID": last.encode()}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert last == "" or last not in answer.json()["detail"]


async def test_who_may_not_read_gets_nothing(watched: Watched) -> None:
    await watched.write(1)
    for role, status in watched.others.items():
        assert (await watched.ask(0, role)).status_code == status
