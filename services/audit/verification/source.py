"""The trail's tables as a verification reads them: in pages, straight from the driver, on either database.

Its one rule: it only reads, and all that one source gives is of one moment, however long the reading takes. A second
process sees PostgreSQL at the same moment by its snapshot; on SQLite it must not look beyond the size that was told.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import asyncpg

PAGE_ROWS = 2_000
SORT_MEMORY = "128MB"


class TrailMissing(Exception):
    """There is no trail to verify; the message says where it was looked for."""


class TrailDamaged(Exception):
    """The database cannot be read to its end: its own file is damaged."""


class Source(Protocol):
    """Reads by numbered parameters ($1, $2 …); a row is a tuple of the columns asked for."""

    is_sqlite: bool

    @property
    def snapshot(self) -> str | None: ...

    async def has_table(self, name: str) -> bool: ...

    def pages(self, query: str, *values: object) -> AsyncIterator[Sequence[Any]]: ...

    async def all(self, query: str, *values: object) -> Sequence[Any]: ...


@asynccontextmanager
async def open_source(
    url: str, snapshot: str | None = None, *, holds: str = "trail", service: str = "audit"
) -> AsyncIterator[Source]:
    """The database at a URL: postgresql://… as libpq takes it, sqlite:///PATH; or either with its driver, as services
    name it. Raises TrailMissing where there is none, TrailDamaged for a broken file. `holds`, `service`: what messages
    call it."""
    scheme, _, place = url.partition("://")
    database = scheme.partition("+")[0]
    if database == "sqlite":
        path = Path(place.partition("?")[0].removeprefix("/"))
        if not path.is_file():
            raise TrailMissing(f"There is no {holds} at {path}: name the data folder with --data.")
        async with _open_sqlite(path, holds, service) as source:
            yield source
        return
    try:
        connection = await asyncpg.connect(f"{database}://{place}")
    except (OSError, asyncpg.PostgresError) as error:
        raise TrailMissing(f"The {holds}'s database cannot be reached ({type(error).__name__}).") from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if snapshot:
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            await connection.execute(f"SET LOCAL work_mem = '{SORT_MEMORY}'")
            await connection.execute("SET LOCAL jit = off")
            yield _Postgresql(connection, snapshot or await connection.fetchval("SELECT pg_export_snapshot()"))
    except asyncpg.UndefinedTableError as error:
        raise TrailMissing(f"There is no {holds} in this database: run `doorstep migrate {service}` first.") from error
    finally:
        await connection.close()


class _Postgresql:
    is_sqlite = False

    def __init__(self, connection: asyncpg.Connection, snapshot: str | None) -> None:
        self._connection = connection
        self.snapshot = snapshot

    async def pages(self, query: str, *values: object) -> AsyncIterator[Sequence[Any]]:
        cursor = await self._connection.cursor(query, *values)
        while page := await cursor.fetch(PAGE_ROWS):
            yield page

    async def all(self, query: str, *values: object) -> Sequence[Any]:
        return await self._connection.fetch(query, *values)  # type: ignore[no-any-return]

    async def has_table(self, name: str) -> bool:
        return await self._connection.fetchval("SELECT to_regclass($1)", name) is not None


@asynccontextmanager
async def _open_sqlite(path: Path, holds: str, service: str) -> AsyncIterator[Source]:
    connection = sqlite3.connect(path, isolation_level=None)
    # A forged text need not be UTF-8; it must be found to differ, not stop the reading.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        yield _Sqlite(connection)
    except sqlite3.OperationalError as error:
        raise TrailMissing(f"There is no {holds} in {path}: run `doorstep migrate {service}` first.") from error
    except sqlite3.DatabaseError as error:
        raise TrailDamaged(f"{path} is damaged ({error}): restore it from a backup, then verify that.") from error
    finally:
        connection.close()


class _Sqlite:
    is_sqlite = True
    snapshot: str | None = None

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def pages(self, query: str, *values: object) -> AsyncIterator[Sequence[Any]]:
        cursor = self._connection.execute(query.replace("$", "?"), values)
        while page := cursor.fetchmany(PAGE_ROWS):
            yield page

    async def all(self, query: str, *values: object) -> Sequence[Any]:
        return self._connection.execute(query.replace("$", "?"), values).fetchall()

    async def has_table(self, name: str) -> bool:
        return bool(await self.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", name))
