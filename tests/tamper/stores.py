"""A trail's database in the hands of a forger with all rights: triggers off, any statement, triggers on again at the
end. No project code here: only the drivers."""

import asyncio
import sqlite3
from typing import Any

import asyncpg

TABLES = (
    "entry", "entry_subject", "entry_rule", "subject_head", "aggregate_head", "tile", "head", "checkpoint",
    "source_skip",
)  # fmt: skip


class Sqlite:
    """`url` is the path of the file."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url, isolation_level=None)
        query = "SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'"
        rows = self._connection.execute(query).fetchall()
        self._guards = {name: text for name, text, _ in rows}
        self._tables = {name: table for name, _, table in rows}
        for name in self._guards:
            self._connection.execute(f"DROP TRIGGER {name}")

    def leave_off(self) -> None:
        """One of the triggers stays away."""
        del self._guards["entry_no_update"]

    def empty(self) -> None:
        """A trigger of the old name that guards nothing."""
        self._guards["entry_no_update"] = "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT 1; END"

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.replace("$", "?"), values).fetchall()

    def close(self) -> None:
        there = {name for (name,) in self.run("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name, text in self._guards.items():
            if self._tables[name] in there:
                self._connection.execute(text)
        self._connection.close()


class Postgresql:
    """`url` names the superuser."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(url))
        for table in TABLES:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        self._left_off: str | None = None

    def leave_off(self) -> None:
        """One of the triggers stays away."""
        self._left_off = "entry_append_only"

    def empty(self) -> None:
        """A function of the old name that guards nothing."""
        nothing = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
        self.run(f"CREATE OR REPLACE FUNCTION refuse_change() {nothing}")

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._runner.run(self._connection.fetch(statement, *values))]

    def close(self) -> None:
        query = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
        for table, name in self.run(query):
            if table in TABLES and name != self._left_off:
                self.run(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
        self._runner.run(self._connection.close())
        self._runner.close()


Store = Sqlite | Postgresql


def open_store(url: str) -> Store:
    return Postgresql(url) if url.startswith("postgresql://") else Sqlite(url)
