"""Waiting for the database ends: 503 with Retry-After, never 500, and a writer that is stuck is named."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import literal, select, text

from shared.auth import Role
from shared.errors import Unavailable

NOTES = "/cases/v1/notes"


async def test_a_stuck_writer_gives_503_reads_go_on_and_readiness_names_it(running_with, monkeypatch):
    monkeypatch.setattr("shared.migrations.newest_revision", lambda _folder: "0001")
    async with running_with(database_wait_seconds_max=0.05, writer_seconds_max=0.01) as system:
        caller = system.caller(Role.SUPERVISOR)
        async with system.runtime.database.transaction():
            refused = await caller.post(NOTES, {"text": "x"})
            assert (refused.status_code, refused.json()["title"]) == (503, "busy")
            assert refused.headers["retry-after"] == "1"
            assert (await caller.get(NOTES)).status_code == 200
            ready = await system.bearing(None).get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["checks"]["writer"].startswith("one transaction writes for")
        assert (await caller.post(NOTES, {"text": "x"})).status_code == 201
        ready = await system.bearing(None).get("/health/ready")
        assert "writer" not in ready.json()["checks"]


async def test_who_waits_for_the_writer_gets_his_turn_in_time(running_with):
    async with running_with(database_wait_seconds_max=5) as system:
        answers = await asyncio.gather(
            *(system.caller(Role.SUPERVISOR).post(NOTES, {"text": str(number)}) for number in range(20))
        )
    assert {answer.status_code for answer in answers} == {201}


async def test_a_caller_who_gives_up_leaves_the_queue_in_order(running_with):
    async with running_with(database_wait_seconds_max=0.05) as system:
        database = system.runtime.database
        async with database.transaction():
            with pytest.raises(Unavailable, match="Too many requests"):
                async with database.transaction():
                    raise AssertionError("two writers at once")
            cancelled = asyncio.create_task(database.transaction().__aenter__())
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled])
        async with database.transaction():
            assert database.writing_seconds > 0
        assert database.writing_seconds == 0


async def exhausted(stack: AsyncExitStack, system) -> None:
    """Take every connection of the pool."""
    pool = system.runtime.database.engine.pool
    for _ in range(pool.size() + max(0, pool._max_overflow)):
        connection = await stack.enter_async_context(system.runtime.database.engine.connect())
        await connection.execute(text("SELECT 1"))


async def test_an_exhausted_pool_is_503(running_with):
    async with running_with(database_wait_seconds_max=0.05) as system, AsyncExitStack() as stack:
        await exhausted(stack, system)
        for answer in (
            await system.caller(Role.SUPERVISOR).get(NOTES),
            await system.caller(Role.SUPERVISOR).post(NOTES, {"text": "x"}),
        ):
            assert (answer.status_code, answer.json()["title"]) == (503, "busy")


@pytest.mark.servers
async def test_an_exhausted_pool_is_503_on_postgresql(running_with, fresh_database):
    limits = {"database_wait_seconds_max": 0.05, "database_connections_max": 2}
    async with running_with(database_url=fresh_database(), **limits) as system, AsyncExitStack() as stack:
        await exhausted(stack, system)
        for answer in (
            await system.caller(Role.SUPERVISOR).get(NOTES),
            await system.caller(Role.SUPERVISOR).post(NOTES, {"text": "x"}),
        ):
            assert (answer.status_code, answer.json()["title"]) == (503, "busy")


async def test_a_database_that_refuses_connections_is_503(running_with, unused_tcp_port_factory):
    port = unused_tcp_port_factory()
    async with running_with() as system:
        elsewhere = type(system.runtime.database)(
            system.runtime.settings.model_copy(update={"database_url": f"postgresql+asyncpg://x@127.0.0.1:{port}/x"}),
            source="cases",
            outbox=system.runtime.service.tables.bus.outbox,
        )
        for open_one in (elsewhere.transaction, elsewhere.reading):
            with pytest.raises(Unavailable) as away:
                async with open_one() as tx:
                    await tx.session.execute(select(literal(1)))
            assert away.value.code == "database-away"
        await elsewhere.close()
