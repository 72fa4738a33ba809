"""The session of a lender's transaction. It adds the lender's criterion to every SELECT, UPDATE and DELETE and looks at
every row that is stored, as the tables declare it (shared/tenants.py). No query spells it.

What it cannot hold to the lender it refuses loudly: text, a bare connection, a statement that mixes mapped classes with
Core tables of tenants, a value to store that a SELECT reads, a change of the column that says whose a row is. That is a
fault of our program, never of the caller: another lender's row is not there for a query, and the query answers 404.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from sqlalchemy import (
    Alias,
    ColumnClause,
    CompoundSelect,
    Connection,
    Delete,
    Insert,
    Select,
    Table,
    TableClause,
    TextClause,
    Update,
    event,
    inspect,
    select,
)
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate as ChangeOnConflict
from sqlalchemy.dialects.sqlite.dml import OnConflictDoUpdate as ChangeOnConflictOfSqlite
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter, ClauseElement

from shared.tenants import criterion, declared, has_tenant, key_of, parent_key, parent_of

_WRITES = (Insert, Update, Delete)
LENDER = "lender_id"
PREPARED = "doorstep_prepared"


class NotThisLenders(RuntimeError):
    """A lender's transaction was about to do what could touch another lender's rows."""


class LenderSession(Session):
    """A session that sees and changes the rows of one lender, `info["lender_id"]`."""

    @property
    def lender_id(self) -> str:
        return str(self.info[LENDER])

    def connection(self, *_: Any, **__: Any) -> Connection:
        raise NotThisLenders("A lender's transaction has no bare connection: its rows could not be held to the lender.")


@event.listens_for(LenderSession, "do_orm_execute")
def _hold_to_lender(state: ORMExecuteState) -> None:
    statement, session = state.statement, state.session
    assert isinstance(session, LenderSession)  # noqa: S101 - the event is that class's
    if isinstance(statement, _WRITES) and any(map(_reads, _values(statement))):
        _refuse_reading(statement.table)
    if isinstance(statement, Insert):
        _check_insert(session, statement, state.parameters)
    elif isinstance(statement, Select | CompoundSelect | Update | Delete):
        if isinstance(statement, Update):
            _check_update(statement, state.parameters)
        state.statement = held(statement, session.lender_id)
    else:
        raise NotThisLenders(f"A lender's transaction executes no {type(statement).__name__}: use select() and others.")


def held(statement: Any, lender_id: str) -> Any:
    """The statement for this lender. Raises NotThisLenders where that cannot be said. One that is made once and carries
    the execution option PREPARED, is held once for each lender: to look through it costs milliseconds."""
    prepared = statement.get_execution_options().get(PREPARED)
    return _held_once(statement, lender_id) if prepared else _held(statement, lender_id)


@lru_cache(maxsize=4096)
def _held_once(statement: Any, lender_id: str) -> Any:
    return _held(statement, lender_id)


def _held(statement: Any, lender_id: str) -> Any:
    if _is_held(statement, lender_id):
        return statement
    uses = _Uses.of(statement)
    if uses.entities and uses.tables:
        raise NotThisLenders(f"This statement mixes mapped classes and the tables {uses.names}: use one of the two.")
    if uses.tables:
        return _held_core(statement, uses.tables, lender_id)
    if not uses.entities:
        return statement
    if isinstance(statement, CompoundSelect):
        raise NotThisLenders("A union of mapped classes cannot be held to a lender: select from a subquery of tables.")
    options = [_option(kind, lender_id) for kind in sorted(uses.entities, key=str)]
    return statement.options(*options)


def _is_held(statement: Any, lender_id: str) -> bool:
    """Whether SQLAlchemy made this statement from one that is held: the keys of rows, before they are changed."""
    subject = statement._propagate_attrs.get("plugin_subject")
    return (
        bool(statement._with_options)
        and subject is not None
        and (any(option is _option(subject.class_, lender_id) for option in statement._with_options))
    )


@lru_cache(maxsize=4096)
def _option(kind: Any, lender_id: str) -> Any:
    """SQLAlchemy adds this wherever the class occurs: aliases, joins and subqueries included."""
    return with_loader_criteria(kind, criterion(kind.__table__, lender_id, kind), include_aliases=True)


# --- what a statement reads


class _Uses:
    """The mapped classes and the Core tables with tenants that a statement names."""

    def __init__(self) -> None:
        self.entities: set[Any] = set()
        self.tables: set[Table] = set()
        self._done: set[int] = set()
        self._by_key: Any = None

    @classmethod
    def of(cls, statement: Any) -> "_Uses":
        uses = cls()
        uses._by_key = _look_by_key(statement)
        uses._read(statement, frozenset())
        return uses

    @property
    def names(self) -> str:
        return ", ".join(sorted(table.name for table in self.tables))

    def _read(self, statement: Any, outer: frozenset[Any]) -> None:
        """Note what a statement names, level by level. SQLAlchemy adds criteria to the classes that are selected,
        joined or selected from: one that only a condition names would be read whole, so it is refused."""
        inner: list[Any] = []
        listed = set(self._named(_sources(statement), inner)) | outer
        inner = []
        for entity in self._named(_children(statement), inner):
            if entity not in listed:
                name = entity.mapper.class_.__name__
                raise NotThisLenders(f"Only a condition names {name}: name it in select_from(), too.")
        self._done.add(id(statement))
        for each in inner:
            if isinstance(each, _WRITES):
                raise NotThisLenders("A lender's transaction changes no rows inside another statement.")
            if id(each) not in self._done:
                self._read(each, frozenset(listed))

    def _named(self, elements: Iterable[Any], inner: list[Any]) -> Iterator[Any]:
        """The entities of tenants that these elements name. SELECTs inside them go to `inner`."""
        waiting = list(elements)
        while waiting:
            element = waiting.pop()
            if element is self._by_key:
                continue
            if isinstance(element, Select | CompoundSelect | Insert | Update | Delete):
                inner.append(element)
                continue
            entity, leaf = _entity(element), _leaf(element)
            if leaf is not None:
                if entity is None:
                    self._add_table(leaf)
                elif has_tenant(entity.mapper.local_table):
                    self.entities.add(entity.mapper.class_)
                    yield entity
                continue
            _refuse_text(element)
            if isinstance(element, ColumnClause) and element.table is not None:
                waiting.append(element.table)
            waiting += _children(element)

    def _add_table(self, table: TableClause) -> None:
        declared(table)
        if isinstance(table, Table) and has_tenant(table):
            self.tables.add(table)


def _look_by_key(statement: Any) -> Any:
    """The condition of `Session.get`, which SQLAlchemy makes of bare columns; None in other statements."""
    mapper = statement._propagate_attrs.get("plugin_subject")
    if not isinstance(statement, Select) or mapper is None or len(statement._where_criteria) != 1:
        return None
    return statement._where_criteria[0] if statement._where_criteria[0] is mapper.mapper._get_clause[0] else None


def _leaf(element: Any) -> TableClause | None:
    """The table of a table, of its alias or of a column of one of these."""
    if isinstance(element, ColumnClause):
        element = element.table
    if isinstance(element, Alias):
        element = element.element
    return element if isinstance(element, TableClause) else None


def _entity(element: Any) -> Any:
    return getattr(element, "_annotations", {}).get("parententity")


def _children(element: Any) -> Iterable[Any]:
    """What an element is made of; without what a SELECT only derives from that, and what it correlates."""
    omitted = ("_correlate", "_correlate_except") if isinstance(element, Select) else ()
    return visitors.HasTraverseInternals.get_children(element, omit_attrs=omitted)


def _sources(statement: Any) -> list[Any]:
    """What a statement selects, joins, selects from or changes."""
    if isinstance(statement, Select):
        joined = [each for join in statement._setup_joins for each in (join[0], join[2]) if each is not None]
        return [*statement._raw_columns, *statement._from_obj, *joined]
    return [statement.table] if isinstance(statement, Insert | Update | Delete) else []


def _refuse_text(element: Any) -> None:
    if _is_text(element):
        raise NotThisLenders("A lender's transaction executes no text: it could name any row.")


def _is_text(element: Any) -> bool:
    if not isinstance(element, ColumnClause):
        return isinstance(element, TextClause)
    return element.is_literal and element.name != "*" and not element.name.isdecimal()


# --- Core tables


def _held_core(statement: Any, tables: set[Table], lender_id: str) -> Any:
    """Each table of a tenant becomes a subquery of the lender's rows; the table that is changed gets the criterion."""
    changed = statement.table if isinstance(statement, Update | Delete) else None
    if changed is not None and changed in tables:
        if any(_names(inner, changed) for inner in _inner_selects(statement)):
            raise NotThisLenders(f"A subquery of this change reads {changed.name}, too: read it first.")
        statement = statement.where(criterion(changed, lender_id))
        tables = tables - {changed}
        return _replaced(statement, tables, lender_id) if tables else statement
    return _replaced(statement, tables, lender_id)


def _replaced(statement: Any, tables: set[Table], lender_id: str) -> Any:
    own: dict[Any, Any] = {}

    def rows_of(source: Any) -> Any:
        table = source.element if isinstance(source, Alias) else source
        if not isinstance(table, Table) or table not in tables:
            return None
        if source not in own:
            own[source] = select(table).where(criterion(table, lender_id)).subquery(source.name)
        return own[source]

    def replace(element: Any) -> Any:
        if isinstance(element, ColumnClause):
            rows = rows_of(element.table)
            return None if rows is None else rows.c[element.key]
        return rows_of(element) if isinstance(element, Table | Alias) else None

    return visitors.replacement_traverse(statement, {}, lambda element, **_: replace(element))


def _inner_selects(statement: Any) -> Iterator[Any]:
    return (each for each in visitors.iterate(statement) if isinstance(each, Select))


def _names(statement: Any, table: Table) -> bool:
    return any(_leaf(each) is table for each in visitors.iterate(statement))


# --- rows that are stored


def _values(statement: Any) -> Iterator[Any]:
    """The values that a statement stores, and those that it returns."""
    yield from statement._returning
    if not isinstance(statement, Delete):
        yield from (statement._values or {}).values()
    if isinstance(statement, Insert):
        several: Any = statement._multi_values
        yield from (value for rows in several for row in rows for value in row.values())
        yield statement._post_values_clause


def _reads(value: Any) -> bool:
    """Whether a value is, or contains, a SELECT or text: SQLAlchemy adds no criteria there."""
    if not isinstance(value, ClauseElement) or isinstance(value, BindParameter):
        return False
    return any(isinstance(each, Select | CompoundSelect) or _is_text(each) for each in visitors.iterate(value))


def _refuse_reading(table: Any) -> NoReturn:
    raise NotThisLenders(f"A SELECT or text reads a value for {table.name}: read it first.")


def _check_insert(session: LenderSession, statement: Insert, parameters: Any) -> None:
    """Raises NotThisLenders for a row of another lender."""
    table: Any = statement.table
    uses = _Uses.of(statement) if statement.select is not None else None
    if uses is not None and (uses.entities or uses.tables - {table}):
        raise NotThisLenders(f"A lender's transaction copies no rows into {table.name}: read them first.")
    says = declared(table)
    if says.column is None and says.via is None:
        return
    if statement.select is not None:
        raise NotThisLenders(f"A lender's transaction copies no rows into {table.name}: read them first.")
    if isinstance(statement._post_values_clause, ChangeOnConflict | ChangeOnConflictOfSqlite):
        raise NotThisLenders(f"The row of {table.name} that is in the way may be another lender's: look for it first.")
    rows = list(_rows(statement, parameters))
    check_rows(session, table, rows)
    if statement._post_values_clause is None:  # else another lender's row may be in the way, and stay
        _note_rows(session, table, rows)


def _rows(statement: Insert, parameters: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of an INSERT, as far as they are values."""
    several: Any = statement._multi_values
    if several:
        for row in [row for rows in several for row in rows]:
            yield {_key(name): _value(value) for name, value in row.items()}
        return
    fixed = {_key(name): _value(value) for name, value in (statement._values or {}).items()}
    for row in parameters if isinstance(parameters, list | tuple) else [parameters or {}]:
        yield fixed | row


def _key(name: Any) -> str:
    return name if isinstance(name, str) else str(name.key)


def _value(value: Any) -> Any:
    return value.value if isinstance(value, BindParameter) else value


def check_rows(session: LenderSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises NotThisLenders unless each row is this lender's, or of a parent that is. One look for all parents that
    this transaction has not seen yet."""
    key, parent = key_of(table), parent_of(table)
    values = {row.get(key) for row in rows}
    if any(value is None or isinstance(value, ClauseElement) for value in values):
        raise NotThisLenders(f"A lender's transaction was about to store a row of {table.name} without {key}.")
    if parent is None:
        if values - {session.lender_id}:
            _refuse_row(table, key)
    else:
        seen = _seen(session, parent)
        if not values <= seen:
            seen.update(_loaded(session, parent))
        if unknown := values - seen:
            column = parent.c[parent_key(parent)]
            with session.no_autoflush:
                found = set(session.scalars(select(column).where(column.in_(unknown))))
            if unknown - found:
                _refuse_row(table, key)
            seen |= found


def _note_rows(session: LenderSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """These rows are stored now, and this lender's: others may lead to them."""
    if len(table.primary_key) == 1:
        key = parent_key(table)
        _seen(session, table).update(row[key] for row in rows if key in row)


def _refuse_row(table: Table, key: str) -> NoReturn:
    raise NotThisLenders(f"A lender's transaction was about to store another lender's row in {table.name} ({key}).")


def _seen(session: LenderSession, table: Table) -> set[Any]:
    """The keys of rows of a table that are known to be this lender's."""
    seen: dict[str, set[Any]] = session.info.setdefault("own_rows", defaultdict(set))
    return seen[table.name]


def _loaded(session: LenderSession, table: Table) -> Iterator[Any]:
    """The keys of the rows of a table that this session has read, which are this lender's, and of those that it will
    store, which are looked at by then."""
    key = parent_key(table)
    for row in [*session.identity_map.values(), *session.new]:
        if inspect(row).mapper.local_table is table:
            yield getattr(row, key)


def _check_update(statement: Update, parameters: Any) -> None:
    """Raises NotThisLenders for a change of the column that says whose a row is."""
    table: Any = statement.table
    says = declared(table)
    if says.column is None and says.via is None:
        return
    if parameters is not None and not isinstance(parameters, Mapping):
        raise NotThisLenders(f"A lender's transaction changes rows of {table.name} by a condition, not by their keys.")
    changed: list[Any] = [*(statement._values or {}), *(parameters or {})]
    if key_of(table) in {_key(name) for name in changed}:
        raise NotThisLenders(f"A row of {table.name} stays its lender's.")


@event.listens_for(LenderSession, "before_flush")
def _check_flush(session: Session, *_: object) -> None:
    """Raises NotThisLenders for a new row of another lender, and for a row that would become one."""
    assert isinstance(session, LenderSession)  # noqa: S101 - the event is that class's
    for row in [*session.new, *session.dirty]:
        if any(map(_reads, inspect(row).dict.values())):
            _refuse_reading(inspect(row).mapper.local_table)
    new: dict[Table, list[Mapping[str, Any]]] = defaultdict(list)
    for row in session.new:
        table = inspect(row).mapper.local_table
        if has_tenant(table):
            new[table].append({name: getattr(row, name) for name in {key_of(table), parent_key(table)}})
    for row in session.dirty:
        state = inspect(row)
        table = state.mapper.local_table
        if has_tenant(table) and state.attrs[key_of(table)].history.has_changes():
            raise NotThisLenders(f"A row of {table.name} stays its lender's.")
    for table in sorted(new, key=_steps_to_lender):
        check_rows(session, table, new[table])
        _note_rows(session, table, new[table])


def _steps_to_lender(table: Table) -> int:
    parent = parent_of(table)
    return 0 if parent is None else 1 + _steps_to_lender(parent)
