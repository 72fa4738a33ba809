"""A lender's session: each form of a statement shows and changes its rows only, and what cannot be held to it is
refused."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    Text,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
    union,
    update,
)
from sqlalchemy import Table as CoreTable
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import aliased, registry
from sqlmodel import Field, SQLModel, col

from shared.database import Context, Database, Transaction, service_metadata
from shared.events.cases import CaseReleased
from shared.ids import new_id
from shared.lender_session import NotThisLenders
from shared.runtime import service_tables
from shared.settings import Settings
from shared.tenants import TenantUndeclared, owned

pytestmark = pytest.mark.filterwarnings("error")


class Base(SQLModel, registry=registry(metadata=service_metadata())):
    """The tables of this test."""


TABLES = service_tables(Base.metadata)


class Book(Base, table=True):
    __tablename__ = "book"
    __table_args__ = owned(tenant="lender_id")

    id: int = Field(primary_key=True)
    lender_id: str | None
    price: int = 0


class Page(Base, table=True):
    __tablename__ = "page"
    __table_args__ = owned(tenant_via="book_id", to="book.id")

    id: int = Field(primary_key=True)
    book_id: int
    words: int = 0


class Word(Base, table=True):
    __tablename__ = "word"
    __table_args__ = owned(tenant_via="page_id")

    id: int = Field(primary_key=True)
    page_id: int = Field(foreign_key="page.id")


class Shelf(Base, table=True):
    __tablename__ = "shelf"
    __table_args__ = owned(tenant=None, because="It is the same for all.")

    id: int = Field(primary_key=True)


LEAF = CoreTable(
    "leaf",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("log_id", Text, nullable=False),
    Column("size", Integer, nullable=False),
    **owned(tenant="log_id"),
)
STAMP = CoreTable(
    "stamp",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("leaf_id", Integer, ForeignKey("leaf.id")),
    Column("size", Integer, nullable=False, server_default="0"),
    **owned(tenant_via="leaf_id"),
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """One row of each table for lender a, one for lender b: 1 and 2."""
    database = Database(Settings(data_dir=tmp_path), source="cases", outbox=TABLES.bus.outbox)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.transaction() as tx:
        for number, lender in ((1, "a"), (2, "b")):
            tx.session.add_all([Book(id=number, lender_id=lender), Page(id=number, book_id=number)])
            await tx.session.flush()
            tx.session.add(Word(id=number, page_id=number))
            await tx.session.execute(insert(LEAF).values(id=number, log_id=lender, size=0))
            await tx.session.execute(insert(STAMP).values(id=number, leaf_id=number))
        tx.session.add_all([Book(id=9, lender_id=None), Shelf(id=1)])
    yield database
    await database.close()


async def of(database: Database, lender: str, statement: Any) -> list[Any]:
    async with database.reading(Context(lender_id=lender)) as tx:
        return list(await tx.session.scalars(statement))


def book(alias: Any = Book) -> Any:
    return select(alias.id)


other = aliased(Book)
cte = select(col(Book.id)).cte()
subquery = select(Book).subquery()
pages = aliased(Page)
leaf, stamp = LEAF.c, STAMP.c
beside = LEAF.alias("beside")

READS: dict[str, Any] = {
    "column": select(col(Book.id)),
    "condition that names all": select(col(Book.id)).where(or_(col(Book.id) > 0, col(Book.lender_id) != "x")),
    "alias": select(other.id),
    "alias joined": select(other.id).join(Page, col(Page.book_id) == other.id),
    "via": select(col(Page.id)),
    "via, via": select(col(Word.id)),
    "alias, via": select(pages.id),
    "joined": select(col(Page.id)).join(Book, col(Book.id) == col(Page.book_id)),
    "joined to all": select(col(Page.id)).join(Book, col(Book.id) > 0),
    "left joined": select(col(Page.book_id)).outerjoin(Book, col(Book.id) == col(Page.book_id)),
    "left joined to all": select(col(Book.id)).select_from(Shelf).outerjoin(Book, col(Book.id) > 0),
    "subquery": select(subquery.c.id),
    "aliased subquery": select(aliased(Book, subquery).id),
    "cte": select(cte.c.id),
    "in": select(col(Page.id)).where(col(Page.book_id).in_(select(col(Book.id)))),
    "exists": select(col(Page.id)).where(exists(select(col(Book.id)).where(col(Book.id) == col(Page.book_id)))),
    "exists of all": select(col(Book.id)).where(select(other.id).where(other.id == 1).exists()),
    "scalar": select(select(func.max(col(Book.id))).scalar_subquery()),
    "max": select(func.max(col(Book.id))),
    "count": select(func.count()).select_from(Book),
    "count of via": select(func.count()).select_from(Word),
    "ordered": select(col(Book.id)).order_by(col(Book.id).desc()).limit(1),
    "core": select(leaf.id),
    "core, whole": select(LEAF),
    "core, via": select(stamp.id),
    "core alias": select(beside.c.id),
    "core alias beside it": select(beside.c.id).join(LEAF, beside.c.id != leaf.id, isouter=True),
    "core joined": select(stamp.id).join(LEAF, leaf.id == stamp.leaf_id),
    "core left joined": select(leaf.id).outerjoin(STAMP, and_(stamp.leaf_id == leaf.id, stamp.size == 0)),
    "core exists": select(leaf.id).where(exists().where(stamp.leaf_id == leaf.id).correlate(LEAF)),
    "core in": select(leaf.id).where(leaf.id.in_(select(stamp.leaf_id))),
    "core union": union(select(leaf.id), select(stamp.id)),
    "core count": select(func.count()).select_from(LEAF),
    "core cte": select(select(leaf.id).cte().c.id),
    "core subquery": select(select(LEAF).subquery("inner").c.id),
    "core locked": select(leaf.id).with_for_update(),
    "mapped as core": select(Book.__table__.c.id),
}


@pytest.mark.parametrize("form", READS)
async def test_a_lender_reads_its_own_rows_in_each_form(database: Database, form: str):
    """Both lenders ask in turn, so that the second finds the compiled statement of the first."""
    counts = form in ("count", "count of via", "core count")
    for lender, own in (("a", 1), ("b", 2), ("a", 1)):
        expected = [1] if counts else [] if form == "exists of all" and lender == "b" else [own]
        assert await of(database, lender, READS[form]) == expected, lender
    assert await of(database, "nobody", READS[form]) in ([], [0], [None])


async def test_a_look_by_key_finds_the_lenders_own_rows(database: Database):
    async with database.transaction(Context(lender_id="a")) as tx:
        for kind in (Book, Page, Word):
            assert await tx.session.get(kind, 1)
            assert not await tx.session.get(kind, 2)
            assert not await tx.session.get(kind, 2, with_for_update=True)
        assert not await tx.session.get(Book, 9)  # without a lender it is no lender's
        assert await tx.session.get(Shelf, 1)
        await tx.session.refresh(await tx.session.get_one(Page, 1))


CHANGES: dict[str, Any] = {
    "update": update(Book).values(price=5),
    "update by key": update(Book).where(col(Book.id) == 2).values(price=5),
    "update, via": update(Page).values(words=5),
    "update, nested": update(Page).where(col(Page.book_id).in_(select(col(Book.id)))).values(words=5),
    "core update": update(LEAF).values(size=5),
    "core update, via": update(STAMP).where(stamp.id > 0).values(size=5),
    "core update, nested": update(STAMP).where(stamp.leaf_id.in_(select(leaf.id))).values(size=5),
    "mapped as core": update(Page.__table__).values(words=5),
    "delete": delete(Word),
    "delete by key": delete(Word).where(col(Word.id) == 2),
    "core delete": delete(STAMP),
    "core delete, nested": delete(STAMP).where(stamp.leaf_id.in_(select(leaf.id).where(leaf.id == 2))),
}


@pytest.mark.parametrize("form", CHANGES)
async def test_a_lender_changes_its_own_rows_in_each_form(database: Database, form: str):
    changed = CHANGES[form].table
    before = await _rows(database, changed)
    async with database.transaction(Context(lender_id="a")) as tx:
        await tx.session.execute(CHANGES[form])
    after = await _rows(database, changed)
    assert after[2] == before[2]
    assert ("key" in form or "nested" in form) or after.get(1) != before[1]


async def _rows(database: Database, changed: Any) -> dict[int, tuple[Any, ...]]:
    async with database.reading() as tx:
        rows = await tx.session.execute(select(*Base.metadata.tables[changed.name].c))
        return {row.id: tuple(row) for row in rows}


def _said(kind: str) -> Any:
    return CaseReleased(case_id=new_id(), hold_id=new_id(), reason=kind)


async def _publish(tx: Transaction) -> None:
    case_id = new_id()
    tx.publish_as(_said("X"), subject=case_id, version=1, key=case_id, lender_id="b")


async def _add(tx: Transaction, row: Any) -> None:
    tx.session.add(row)
    await tx.session.flush()


async def _move(tx: Transaction, kind: Any, name: str, value: Any) -> None:
    row = await tx.session.get_one(kind, 1)
    setattr(row, name, value)
    await tx.session.flush()


def _executes(statement: Any, *rows: Any) -> Callable[[Transaction], Any]:
    return lambda tx: tx.session.execute(statement, *rows)


async def _beside_what_was_in_the_way(tx: Transaction) -> None:
    await tx.session.execute(sqlite.insert(Book).values(id=2, lender_id="a").on_conflict_do_nothing())
    await _add(tx, Page(id=3, book_id=2))


HIGHEST = select(func.max(col(Book.id))).scalar_subquery()
REFUSED: dict[str, Callable[[Transaction], Any]] = {
    "a new row": lambda tx: _add(tx, Book(id=3, lender_id="b")),
    "a new row without a lender": lambda tx: _add(tx, Book(id=3, lender_id=None)),
    "a new row, via": lambda tx: _add(tx, Page(id=3, book_id=2)),
    "a new row of no parent": lambda tx: _add(tx, Page(id=3, book_id=77)),
    "a new row, via, via": lambda tx: _add(tx, Word(id=3, page_id=2)),
    "a row given away": lambda tx: _move(tx, Book, "lender_id", "b"),
    "a row given away, via": lambda tx: _move(tx, Page, "book_id", 2),
    "insert": _executes(insert(Book).values(id=3, lender_id="b")),
    "insert of rows": _executes(insert(Book), [{"id": 3, "lender_id": "a"}, {"id": 4, "lender_id": "b"}]),
    "insert of values": _executes(insert(LEAF).values([{"id": 3, "log_id": "b", "size": 0}])),
    "insert without": _executes(insert(Page), [{"id": 3, "words": 3}]),
    "insert, via": _executes(insert(Page), [{"id": 3, "book_id": 1}, {"id": 4, "book_id": 2}]),
    "insert of an expression": _executes(insert(Book).values(id=3, lender_id=func.lower("B"))),
    "insert of a copy": _executes(
        insert(Book.__table__).from_select(["id", "lender_id"], select(leaf.id, leaf.log_id))
    ),
    "insert or change": _executes(
        sqlite.insert(LEAF).values(id=2, log_id="a", size=5).on_conflict_do_update(set_={"size": 5})
    ),
    "insert of what a SELECT reads": _executes(insert(Book).values(id=3, lender_id="a", price=HIGHEST)),
    "insert of text": _executes(insert(Book).values(id=3, lender_id="a", price=text("(SELECT max(id) FROM book)"))),
    "insert of values, one of what a SELECT reads": _executes(
        insert(LEAF).values([{"id": 3, "log_id": "a", "size": 0}, {"id": 4, "log_id": "a", "size": HIGHEST}])
    ),
    "insert of what a SELECT reads where there is no tenant": _executes(insert(Shelf).values(id=HIGHEST + 1)),
    "insert or change to what a SELECT reads": _executes(
        sqlite.insert(Shelf).values(id=1).on_conflict_do_update(set_={"id": HIGHEST})
    ),
    "insert that returns what a SELECT reads": _executes(
        insert(Shelf).values(id=3).returning(HIGHEST.label("highest"))
    ),
    "delete that returns what a SELECT reads": _executes(delete(Shelf).returning(HIGHEST.label("highest"))),
    "update to what a SELECT reads": _executes(update(Book).values(price=func.coalesce(HIGHEST, 0))),
    "core update to what a SELECT reads": _executes(update(LEAF).values(size=HIGHEST)),
    "a new row of what a SELECT reads": lambda tx: _add(tx, Book(id=3, lender_id="a", price=HIGHEST)),
    "a row set to what a SELECT reads": lambda tx: _move(tx, Book, "price", HIGHEST),
    "a row of a parent that was in the way": _beside_what_was_in_the_way,
    "update of the lender": _executes(update(Book).values(lender_id="b")),
    "update of the parent": _executes(update(STAMP).values({stamp.leaf_id: 2})),
    "update by keys": _executes(update(Book), [{"id": 2, "price": 5}]),
    "update inside another statement": _executes(select(update(LEAF).values(size=3).returning(leaf.id).cte().c.id)),
    "text": _executes(text("SELECT id FROM book")),
    "text inside": _executes(select(col(Book.id)).where(text("1 = 1"))),
    "a literal column": _executes(select(literal_column("(SELECT max(id) FROM book)"))),
    "a table by its name": _executes(select(table("book").alias("b"), literal(1))),
    "classes and tables": _executes(select(col(Book.id)).where(col(Book.id).in_(select(leaf.id)))),
    "a class and its table": _executes(select(Book).where(Book.__table__.c.id == 1)),
    "a class that only a condition names": _executes(select(literal(1)).where(col(Book.id) == 2)),
    "a class that only a condition inside names": _executes(
        select(col(Page.id)).where(exists().where(col(Book.id) == col(Page.book_id)))
    ),
    "a union of classes": _executes(union(select(col(Book.id)), select(col(Page.id)))),
    "a bare connection": lambda tx: tx.session.connection(),
    "another lender's event": _publish,
}


@pytest.mark.parametrize("act", REFUSED)
async def test_what_could_touch_anothers_rows_is_refused(database: Database, act: str):
    with pytest.raises((NotThisLenders, TenantUndeclared)):
        async with database.transaction(Context(lender_id="a")) as tx:
            await REFUSED[act](tx)
    async with database.reading() as tx:
        rows = await tx.session.execute(
            select(col(Book.id), col(Book.lender_id), col(Book.price)).order_by(col(Book.id))
        )
        assert [tuple(row) for row in rows] == [(1, "a", 0), (2, "b", 0), (9, None, 0)]


async def test_a_lender_stores_its_own_rows(database: Database):
    async with database.transaction(Context(lender_id="a")) as tx:
        tx.session.add_all([Word(id=3, page_id=3), Page(id=3, book_id=3), Book(id=3, lender_id="a"), Shelf(id=2)])
        await tx.session.flush()
        await tx.session.execute(insert(Page), [{"id": 4, "book_id": 3}, {"id": 5, "book_id": 1}])
        await tx.session.execute(insert(LEAF), [{"id": 3, "log_id": "a", "size": 0}])
        await tx.session.execute(insert(STAMP).values([{"id": 3, "leaf_id": 3}, {"id": 4, "leaf_id": 1}]))
        row = await tx.session.get_one(Book, 1)
        row.price = 7
        await tx.session.delete(await tx.session.get_one(Word, 1))
    assert sorted(await of(database, "a", select(col(Page.id)))) == [1, 3, 4, 5]
    assert sorted(await of(database, "a", select(stamp.id))) == [1, 3, 4]
    assert await of(database, "a", select(col(Word.id))) == [3]
    assert await of(database, "a", select(col(Book.price)).where(col(Book.id) == 1)) == [7]
    assert await of(database, "b", select(col(Page.id))) == [2]


async def test_a_reading_of_a_lender_writes_nothing(database: Database):
    with pytest.raises(RuntimeError, match="only reads"):
        async with database.reading(Context(lender_id="a")) as tx:
            await tx.session.execute(update(Book).values(price=1))


async def test_others_see_all(database: Database):
    async with database.transaction() as tx:
        assert sorted(await tx.session.scalars(select(col(Book.id)))) == [1, 2, 9]
        assert sorted(await tx.session.scalars(select(stamp.id))) == [1, 2]
        assert len((await tx.session.execute(text("SELECT id FROM word"))).all()) == 2
