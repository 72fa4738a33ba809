"""Tenants by construction: of each table of each service two lenders have a row, and neither reads, changes, deletes or
stores one of the other, by the mapped class as by the table. Rows are made up from the types of their columns."""

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, Table, TypeDecorator, and_, delete, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import registry

from checks.tenants import bare_transactions, undeclared
from services.audit.roles import ADDED_ONLY
from services.cases.base import CasesTable
from services.embedded import PARTS
from services.followup.base import FollowupTable
from services.visits.base import VisitsTable
from shared.database import Context, Database, Transaction, service_metadata
from shared.ids import new_id
from shared.lender_session import NotThisLenders
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.tenants import TenantUndeclared, has_tenant, key_of, owned, parent_of
from tests.databases import DATABASES, database, migrated

LENDERS = ("lender-a", "lender-b")
Row = dict[str, Any]


class Rows:
    """A row of each table for each lender, its keys and foreign keys as they must be."""

    def __init__(self, service: Service) -> None:
        self.tables = service.tables.metadata.sorted_tables
        self._made: dict[tuple[str, str], Row] = {}
        self._numbers = count(1)

    def of(self, table: Table, lender: str) -> Row:
        if (table.name, lender) not in self._made:
            row = self._made[table.name, lender] = {}
            for column in table.c:
                row[column.name] = self._value(table, column, lender)
        return self._made[table.name, lender]

    def another(self, table: Table, lender: str) -> Row:
        """A second row of a lender, which stands beside its first and is not stored."""
        row = dict(self.of(table, lender))
        for column in table.primary_key:
            if column.name != key_of(table) and not column.foreign_keys:
                row[column.name] = self._made_up(column)
        return row

    def _value(self, table: Table, column: Column[Any], lender: str) -> Any:
        if has_tenant(table) and column.name == key_of(table):
            parent = parent_of(table)
            return lender if parent is None else self._key(parent, lender)
        for key in column.foreign_keys:
            return self.of(key.column.table, lender)[key.column.name]
        return self._made_up(column)

    def _key(self, table: Table, lender: str) -> Any:
        return self.of(table, lender)[next(iter(table.primary_key)).name]

    def _made_up(self, column: Column[Any]) -> Any:
        number = next(self._numbers)
        among_others = len(column.table.primary_key) > 1
        if column.primary_key and among_others and isinstance(_plain(column.type), Integer):
            return 0  # an index of the trail is the next one
        kind = _plain(column.type).python_type
        made: dict[type, Any] = {
            UUID: new_id(),
            str: f"text-{number}",
            int: number,
            float: float(number),
            bool: False,
            bytes: str(number).encode(),
            datetime: datetime(2026, 3, 2, tzinfo=UTC),
            date: date(2026, 3, 2),
            object: {},  # JSON
        }
        return made[kind]


def _plain(kind: Any) -> Any:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path, service: str) -> Settings:
    part = PARTS[service]
    return migrated(part.settings(data_dir=tmp_path, **database(request, part.service)), part.service)


@pytest.fixture
async def world(settings: Settings, service: str) -> AsyncIterator[tuple[Database, Rows]]:
    """The migrated database of a service, with a row of each table for two lenders."""
    part = PARTS[service].service
    db, rows = Database(settings, source=service, outbox=part.tables.bus.outbox), Rows(part)
    async with db.transaction() as tx:
        for table in rows.tables:
            for lender in LENDERS:
                if has_tenant(table) or any(_leads_to(other, table) for other in rows.tables):
                    await tx.session.execute(insert(table).values(rows.of(table, lender)))
    yield db, rows
    await db.close()


def _leads_to(table: Table, other: Table) -> bool:
    return has_tenant(table) and any(key.column.table is other for key in table.foreign_keys)


def _classes() -> dict[Table, Any]:
    """The mapped class of each table that has one."""
    bases: list[Any] = [CasesTable, VisitsTable, FollowupTable]
    kinds: list[registry] = [base._sa_registry for base in bases]
    return {mapper.local_table: mapper.class_ for kind in kinds for mapper in kind.mappers}  # type: ignore[misc]


CLASSES = _classes()


def _key_is(table: Table, row: Row, of: Any) -> Any:
    """The condition that finds a row by its key, written with a table or its class."""
    return and_(*[(of.c[c.name] if of is table else getattr(of, c.name)) == row[c.name] for c in table.primary_key])


def _forms(table: Table) -> Iterator[Any]:
    yield table
    if table in CLASSES:
        yield CLASSES[table]


async def _whole(db: Database, table: Table) -> list[tuple[Any, ...]]:
    """All rows of a table, as one that belongs to no lender sees them."""
    async with db.reading() as tx:
        return [tuple(row) for row in await tx.session.execute(select(table).order_by(*table.primary_key))]


@pytest.mark.parametrize("service", PARTS)
async def test_no_lender_reads_changes_deletes_or_stores_anothers_row(
    world: tuple[Database, Rows], service: str
) -> None:
    db, rows = world
    tables = [table for table in rows.tables if has_tenant(table)]
    assert tables, service
    for table in tables:
        before = await _whole(db, table)
        assert len(before) == 2, table.name
        for me, other in (LENDERS, LENDERS[::-1]):
            await _reads_its_own(db, table, rows.of(table, me), rows.of(table, other), me)
            await _changes_none(db, table, rows.of(table, other), me)
            await _stores_none(db, table, rows.another(table, other), me)
        assert await _whole(db, table) == before, table.name


async def _reads_its_own(db: Database, table: Table, mine: Row, theirs: Row, me: str) -> None:
    async with db.reading(Context(lender_id=me)) as tx:
        for form in _forms(table):
            column = form.c[key_of(table)] if form is table else getattr(form, key_of(table))
            assert list(await tx.session.scalars(select(column))) == [mine[key_of(table)]], table.name
            for row, found in ((mine, 1), (theirs, 0)):
                statement = select(column).where(_key_is(table, row, form))
                assert len((await tx.session.execute(statement)).all()) == found, table.name
        if table in CLASSES:
            for row, seen in ((mine, True), (theirs, False)):
                key = tuple(row[column.name] for column in table.primary_key)
                assert bool(await tx.session.get(CLASSES[table], key)) is seen, table.name


async def _changes_none(db: Database, table: Table, theirs: Row, me: str) -> None:
    name = next(column.name for column in table.c if column.name != key_of(table))
    for form in _forms(table):
        for statement in (update(form).values({name: theirs[name]}), delete(form)):
            # PostgreSQL's triggers of the trail refuse the statement itself.
            refuses = suppress(DBAPIError) if table.name in ADDED_ONLY else nullcontext()
            with refuses:
                async with db.transaction(Context(lender_id=me)) as tx:
                    done: Any = await tx.session.execute(statement.where(_key_is(table, theirs, form)))
                    assert done.rowcount == 0, table.name


async def _stores_none(db: Database, table: Table, theirs: Row, me: str) -> None:
    for form in _forms(table):
        with pytest.raises(NotThisLenders):
            async with db.transaction(Context(lender_id=me)) as tx:
                await tx.session.execute(insert(form).values(theirs))
    if table in CLASSES:
        with pytest.raises(NotThisLenders):
            async with db.transaction(Context(lender_id=me)) as tx:
                await _add(tx, CLASSES[table](**theirs))


async def _add(tx: Transaction, row: Any) -> None:
    tx.session.add(row)
    await tx.session.flush()


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ({}, "does not declare"),
        (owned(tenant=None, because=""), "say why"),
        (owned(tenant="lender"), "no column lender"),
        (owned(tenant_via="to", to="nowhere.id"), "must lead to the primary key"),
        (owned(tenant_via="to"), "must lead to the primary key"),
        (owned(tenant_via="to", to="idempotency.key"), "must lead to the primary key"),
        (owned(tenant_via="to", to="business_clock.id"), "which has no tenant"),
        (owned(tenant_via="to", to="sample.id"), "which has no tenant"),
    ],
)
def test_a_service_with_a_table_that_does_not_declare_its_tenant_does_not_start(
    declaration: dict[str, Any], said: str, tmp_path: Path
) -> None:
    metadata = service_metadata()
    tables = service_tables(metadata)
    Runtime(Service("cases", tables, tmp_path), Settings(data_dir=tmp_path))
    number = CasesTable.metadata.tables["case_file"].c.accounts.type
    Table("sample", metadata, Column("id", number, primary_key=True), Column("to", number), **declaration)
    with pytest.raises(TenantUndeclared, match=said):
        Runtime(Service("cases", tables, tmp_path), Settings(data_dir=tmp_path))
    part: Any = SimpleNamespace(service=Service("cases", tables, tmp_path))
    assert said in "".join(undeclared({"cases": part}))


def test_the_check_finds_a_route_that_opens_a_transaction_of_no_lender(tmp_path: Path) -> None:
    room = tmp_path / "services" / "cases" / "notes"
    room.mkdir(parents=True)
    api = room / "api.py"
    api.write_text(
        "async def ask(request, database):\n"
        "    async with database.reading(context_of(request)) as tx: ...\n"
        "    async with database.transaction(context, now) as tx: ...\n"
        "    async with database.reading() as tx: ...\n"
        "    pages = stream(request.app.state.runtime.database.reading)\n"
        "    pages = stream(partial(database.reading, context_of(request)))\n"
    )
    assert [sentence.split(": ")[0] for sentence in bare_transactions(tmp_path)] == [f"{api}:4", f"{api}:5"]
    assert not bare_transactions(Path(__file__).parents[1])


def test_the_check_finds_a_job_or_use_case_that_forgets_its_lender(tmp_path: Path) -> None:
    room = tmp_path / "services" / "followup" / "notes"
    room.mkdir(parents=True)
    jobs, api = room / "jobs.py", room / "api.py"
    jobs.write_text(
        "async def run(runtime):\n"
        "    async with runtime.database.reading() as tx: ...  # all lenders: it looks for the next one\n"
        "    async with runtime.database.reading() as tx: ...  # all lenders:\n"
        "    async with runtime.database.transaction(Context(lender_id=lender_id)) as tx: ...\n"
        "    async with self._database.transaction() as tx: ...\n"
    )
    api.write_text("async def ask(database):\n    async with database.reading() as tx: ...  # all lenders: no reason\n")
    found = [sentence.split(": ")[0] for sentence in bare_transactions(tmp_path)]
    assert found == [f"{api}:2", f"{jobs}:3", f"{jobs}:5"]
