"""A trail's database in the hands of somebody with all rights: triggers off, any statement. No project code here: only
the drivers."""

import asyncio
import sqlite3
from typing import Any

import asyncpg

TABLES = ("entry", "entry_subject", "entry_rule", "subject_head", "aggregate_head", "tile", "head", "checkpoint")


class Sqlite:
    """`url` is the path of the file."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url, isolation_level=None)
        for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            self._connection.execute(f"DROP TRIGGER {name}")

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.replace("$", "?"), values).fetchall()

    def close(self) -> None:
        self._connection.close()


class Postgresql:
    """`url` names the superuser."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(url))
        for table in TABLES:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._runner.run(self._connection.fetch(statement, *values))]

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


Store = Sqlite | Postgresql


def open_store(url: str) -> Store:
    return Postgresql(url) if url.startswith("postgresql://") else Sqlite(url)
