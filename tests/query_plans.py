"""How a database finds the rows of a statement. A full scan is one that no index could have spared: PostgreSQL is asked
with sequential scans switched off, so that few rows do not hide that an index lacks."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from shared.auth import Role, rules_of
from shared.database import Database
from tests.one_service import OneService

# Tables with a few rows, however many cases there are.
SMALL = {"law_version", "business_clock", "lender"}
_SCANS = {"sqlite": re.compile(r"\bSCAN (\w+)"), "postgresql": re.compile(r"Seq Scan on (\w+)")}


@contextmanager
def selects_of(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The SELECTs that are executed meanwhile, with their parameters."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith("SELECT"):
            found.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def scanned(database: Database, statement: str, parameters: Any) -> set[str]:
    """The tables that a statement reads from one end to the other."""
    kind = database.engine.dialect.name
    async with database.engine.connect() as connection:
        if kind == "postgresql":
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
        lines = (await connection.exec_driver_sql(explain + statement, parameters)).all()
    plan = "\n".join(str(line[-1]) for line in lines)
    return {name.removesuffix("_1") for name in _SCANS[kind].findall(plan)}


def routes_of_lenders(app: Any) -> Iterator[str]:
    """The paths that a lender may read, without streams."""
    for name, roles in rules_of(app.routes).items():
        method, _, path = name.partition(" ")
        if method == "GET" and Role.LENDER in (roles or ()) and not path.endswith("/events"):
            yield path


async def whole_tables(system: OneService, paths: Collection[str], ids: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Which of these routes read which tables from one end to the other, where a lender asks. Each is answered."""
    database, found = system.runtime.database, set()
    tables = set(system.runtime.service.tables.metadata.tables) - SMALL
    for path in paths:
        with selects_of(database) as selects:
            answer = await system.client.get(path.format_map(ids), headers=system.bearer(Role.LENDER))
        assert answer.status_code in (200, 404), path
        for statement, parameters in selects:
            found |= {(path, table) for table in await scanned(database, statement, parameters) & tables}
    return found
