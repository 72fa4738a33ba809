"""Many rows at once, the fastest way that each database has: COPY and unnest on PostgreSQL, executemany on SQLite.
Values that are written go to the driver as they are: text, integers, bytes; no type of ours translates them.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, TypeVar, cast
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    func,
    inspect,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, aliased
from sqlalchemy.orm.util import identity_key
from sqlmodel import SQLModel

from shared.database import Transaction
from shared.errors import Unavailable
from shared.storage import out_of_storage, says_full

Rows = Sequence[tuple[Any, ...]]
Row = TypeVar("Row")

_ARRAYS: dict[type, str] = {Text: "text[]", Integer: "int[]", BigInteger: "bigint[]", LargeBinary: "bytea[]"}
# PostgreSQL's classes of states that say: connection gone, resources short, an operator at work.
_AWAY_CLASSES = ("08", "53", "57")


def among(tx: Transaction, column: Mapped[Any] | ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Whether a column has one of these values. On PostgreSQL they are one parameter, an array: so the statement is the
    same for any count, and its plan uses the index. A generic plan of hundreds of parameters compares row by row."""
    if tx.session.get_bind().dialect.name == "sqlite":
        return column.in_(values)
    kind = cast(ColumnElement[Any], column).type
    return column == any_(bindparam(None, list(values), type_=ARRAY(kind), unique=True))


def each_of(
    tx: Transaction, row: type[Row], column: Mapped[Any], values: Collection[Any], *where: ColumnElement[bool]
) -> Select[Row]:
    """Rows that fulfil the conditions and have one of these values in a column. On PostgreSQL each value is looked up
    by the index on its own. An array beside conditions on the index's first columns may be compared with each row that
    they leave, for as long as a plan is kept that was made while the table was small."""
    if tx.session.get_bind().dialect.name == "sqlite":
        return select(row).where(*where, column.in_(values))
    kind = cast(ColumnElement[Any], column).type
    wanted = func.unnest(bindparam(None, list(set(values)), type_=ARRAY(kind), unique=True))
    each = wanted.table_valued("value", name="wanted").render_derived()
    found = select(row).where(*where, column == each.c.value).offset(literal_column("0")).lateral("found")
    return select(aliased(row, found)).select_from(each).join(found, true())


def insert_into(tx: Transaction, table: Table | type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the words of this database."""
    dialect = tx.session.get_bind().dialect.name
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


async def rows_by_id(tx: Transaction, kind: type[Row], key: Mapped[UUID], ids: Collection[UUID]) -> dict[UUID, Row]:
    """Rows by their primary key. Those that the transaction has loaded cost no statement, the others one."""
    known = tx.session.sync_session.identity_map
    found: dict[UUID, Row] = {}
    for each in ids:
        row = known.get(identity_key(kind, each))
        if row is not None and not inspect(row).expired:
            found[each] = row
    if missing := [each for each in ids if each not in found]:
        rows = await tx.session.execute(select(key, kind).where(among(tx, key, missing)))
        found.update((row_id, row) for row_id, row in rows)
    return found


async def insert_rows(tx: Transaction, table: Table, rows: Rows) -> None:
    """Add rows; each holds the table's columns in their order. Raises Unavailable: the database is away or full."""
    if not rows:
        return
    connection = await tx.session.connection()
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(_insert(table), list(rows))
        return
    driver: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.copy_records_to_table(table.name, records=rows, columns=table.columns.keys())
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if says_full(error):
            raise out_of_storage() from error
        state = str(getattr(error, "sqlstate", None) or "08")
        if state[:2] not in _AWAY_CLASSES:
            raise
        raise Unavailable("database-away", "The database does not answer now. Try again in a moment.") from error


async def upsert_rows(tx: Transaction, table: Table, rows: Rows, *, rising: str = "") -> None:
    """Add rows, or give those whose primary key is there the new values: where `rising` names a column, only if it
    rises."""
    if not rows:
        return
    connection = await tx.session.connection()
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(f"{_insert(table)} {_or_change(table, rising)}", list(rows))
        return
    await connection.exec_driver_sql(_upsert_unnested(table, rising), tuple(map(list, zip(*rows, strict=True))))


@cache
def _upsert_unnested(table: Table, rising: str) -> str:
    """Each column is one parameter, an array: so the statement is the same for any count of rows, and planned once."""
    arrays = ", ".join(f"${number}::{_array(column)}" for number, column in enumerate(table.c, 1))
    return f"INSERT INTO {table.name} ({_names(table)}) SELECT * FROM unnest({arrays}) {_or_change(table, rising)}"


def _array(column: Any) -> str:
    return next(name for kind, name in _ARRAYS.items() if type(column.type) is kind)


def _or_change(table: Table, rising: str) -> str:
    keys = ", ".join(column.name for column in table.primary_key)
    values = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.c if not column.primary_key)
    only = f" WHERE {table.name}.{rising} < excluded.{rising}" if rising else ""
    return f"ON CONFLICT ({keys}) DO UPDATE SET {values}{only}"


def _insert(table: Table) -> str:
    return f"INSERT INTO {table.name} ({_names(table)}) VALUES ({', '.join('?' * len(table.columns))})"


def _names(table: Table) -> str:
    return ", ".join(table.columns.keys())
