"""SQLite's small statements run where they are asked for; what can take long runs in the connection's thread.

aiosqlite runs each call in a thread; the way there and back takes ten times as long as a small statement. What waits
for the disk or for another process (begin to write, commit) goes to the thread, in its turn, and so does what once took
much of the processor's time. The time on the clock would not do: on a busy machine it counts what others do.
"""

import sqlite3
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import aiosqlite

from shared.clock import thread_seconds

Result = TypeVar("Result")

LONG_SECONDS = 0.01
LONG_STATEMENTS_MAX = 1_000
_QUICK = {"cursor", "execute", "fetchall", "close", "rollback"}
_long_statements: set[str] = set()


class InlineConnection(aiosqlite.Connection):
    """A connection of aiosqlite without the way to its thread where none is needed."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._in_thread = 0
        self._guard = Lock()
        self._statement = ""

    async def _execute(self, fn: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        if fn.__name__ == "execute":
            self._statement = args[0]
        if self._may_run_here(fn):
            return self._run_here(fn, *args, **kwargs)
        with self._guard:
            self._in_thread += 1

        def run() -> Result:
            try:
                return fn(*args, **kwargs)
            finally:
                with self._guard:
                    self._in_thread -= 1

        return await super()._execute(run)  # type: ignore[no-any-return, no-untyped-call]

    def _may_run_here(self, fn: Callable[..., Any]) -> bool:
        """Never before what the thread has still to do: a caller that was cancelled leaves its call there."""
        if self._in_thread or not self._running or fn.__name__ not in _QUICK or fn == self._conn.close:
            return False
        return self._statement != "BEGIN IMMEDIATE" and self._statement not in _long_statements

    def _run_here(self, fn: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        began = thread_seconds()
        try:
            return fn(*args, **kwargs)
        finally:
            if thread_seconds() - began > LONG_SECONDS:
                if len(_long_statements) == LONG_STATEMENTS_MAX:
                    _long_statements.clear()
                _long_statements.add(self._statement)


async def connect(database: str, **options: Any) -> InlineConnection:
    """Open a file, with the options of sqlite3.connect. Each connection has one user at a time, in any thread."""
    connection = InlineConnection(lambda: sqlite3.connect(database, **options | {"check_same_thread": False}))
    connection._thread.daemon = True  # a process that ends does not wait for it, as SQLAlchemy has it
    await connection
    return connection
