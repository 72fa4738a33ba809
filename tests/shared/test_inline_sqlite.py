"""Small statements run where they are asked for; what may take long goes to the connection's thread, in its turn."""

import asyncio
import threading

import pytest

from shared import inline_sqlite


@pytest.fixture
async def connection(tmp_path):
    inline_sqlite._long_statements.clear()
    opened = await inline_sqlite.connect(str(tmp_path / "file.sqlite3"), isolation_level=None)
    opened._conn.create_function("thread", 0, lambda: threading.current_thread().name)
    yield opened
    await opened.close()


async def rows(connection, statement):
    async with connection.execute(statement) as cursor:
        return await cursor.fetchall()


async def test_a_small_statement_stays_in_its_thread(connection):
    assert await rows(connection, "SELECT thread()") == [(threading.current_thread().name,)]


async def test_a_statement_that_took_long_goes_to_the_thread_from_then_on(connection, monkeypatch):
    monkeypatch.setattr(inline_sqlite, "LONG_SECONDS", 0.0)
    await rows(connection, "SELECT thread()")
    assert await rows(connection, "SELECT thread()") != [(threading.current_thread().name,)]


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN DEFERRED"])
async def test_what_a_cancelled_caller_left_is_done_before_what_comes_next(connection, begin):
    """A write that waits in the thread must not run after the rollback of its transaction."""
    gate = threading.Event()
    connection._conn.create_function("waited", 0, lambda: gate.wait(10))
    inline_sqlite._long_statements.add("INSERT INTO note SELECT waited()")
    await rows(connection, "CREATE TABLE note (text)")
    await rows(connection, begin)
    writing = asyncio.create_task(rows(connection, "INSERT INTO note SELECT waited()"))
    await asyncio.sleep(0)
    writing.cancel()
    undoing = asyncio.create_task(connection.rollback())
    await asyncio.sleep(0)
    gate.set()
    await undoing
    assert await rows(connection, "SELECT * FROM note") == []
    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_the_memory_of_long_statements_has_a_bound(connection, monkeypatch):
    monkeypatch.setattr(inline_sqlite, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(inline_sqlite, "LONG_STATEMENTS_MAX", 3)
    for number in range(10):
        await rows(connection, f"SELECT {number}")
    assert len(inline_sqlite._long_statements) <= 3


async def test_a_closed_connection_says_so(connection):
    await connection.close()
    with pytest.raises(ValueError, match="no active connection"):
        await rows(connection, "SELECT 1")
