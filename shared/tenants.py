"""Whose rows a table holds. Each table declares it where it is made; a service with a table that does not declare it
does not start.

- `owned(tenant="lender_id")`: this column names the lender.
- `owned(tenant_via="case_id", to="case_file.id")`: the row belongs to the lender of the row that this column leads to.
  `to` may be left out where the column has a foreign key.
- `owned(tenant=None, because="…")`: the table holds no lender's rows, for this reason. A lender reads all.

In a class: `__table_args__ = owned(…)`, behind constraints as the last of the tuple. In Core: `Table(…, **owned(…))`.
What a lender's session does with it: shared/lender_session.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, overload

from sqlalchemy import ColumnElement, FromClause, MetaData, Table, exists

_KEY = "tenant"


class TenantUndeclared(RuntimeError):
    """A table does not declare whose rows it holds, or it declares what cannot be. The service does not start."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a table says: a column that names the lender, or one that leads to another table, or neither."""

    column: str | None = None
    via: str | None = None
    to: str | None = None
    because: str | None = None


@overload
def owned(*, tenant: str) -> dict[str, Any]: ...
@overload
def owned(*, tenant: None, because: str) -> dict[str, Any]: ...
@overload
def owned(*, tenant_via: str, to: str | None = None) -> dict[str, Any]: ...
def owned(
    *, tenant: str | None = None, because: str | None = None, tenant_via: str | None = None, to: str | None = None
) -> dict[str, Any]:
    """The declaration of a table, as arguments of `Table`."""
    return {"info": {_KEY: Declared(tenant, tenant_via, to, because)}}


def declared(table: FromClause) -> Declared:
    """What a table declares. Raises TenantUndeclared."""
    found: Declared | None = getattr(table, "info", {}).get(_KEY)
    if found is None:
        raise TenantUndeclared(f"The table {_name(table)} does not declare whose rows it holds: give it owned(…).")
    return found


def has_tenant(table: Table) -> bool:
    """Whether the rows of a table belong to lenders. Raises TenantUndeclared."""
    says = declared(table)
    return says.column is not None or says.via is not None


def key_of(table: Table) -> str:
    """The column of a table with a tenant that says whose a row is, at once or by way of another table."""
    says = declared(table)
    return says.column or says.via or ""


def parent_of(table: Table) -> Table | None:
    """The table that `tenant_via` leads to; None for a table that names the lender itself."""
    says = declared(table)
    if says.via is None:
        return None
    if says.to is None:
        return next(iter(table.c[says.via].foreign_keys)).column.table
    return table.metadata.tables[says.to.partition(".")[0]]


def parent_key(parent: Table) -> str:
    """The column that `tenant_via` leads to: the primary key of that table, which is one column."""
    return next(iter(parent.primary_key)).name


def criterion(table: Table, lender_id: str, rows: Any = None) -> ColumnElement[bool]:
    """The rows of this lender. `rows` is what the statement reads: the table (default), an alias or a mapped class.

    EXISTS, not IN: SQLite would list all cases of the lender to read one; both databases look the parent's row up by
    its primary key."""
    says, columns = declared(table), table.c if rows is None else rows
    if says.column is not None:
        return _column(columns, says.column) == lender_id  # type: ignore[no-any-return]
    parent = parent_of(table)
    if parent is None or says.via is None:
        raise TenantUndeclared(f"The table {table.name} holds no lender's rows.")
    beside = parent.alias()  # an alias of its own, so that no outer SELECT from the parent takes its place
    own = beside.c[parent_key(parent)] == _column(columns, says.via)
    return exists().select_from(beside).where(own, criterion(parent, lender_id, beside.c)).correlate_except(beside)


def _column(columns: Any, name: str) -> Any:
    return columns[name] if hasattr(columns, "contains_column") else getattr(columns, name)


def check_tenants(metadata: MetaData) -> None:
    """Raises TenantUndeclared, with a sentence for each table that does not declare whose rows it holds."""
    if problems := list(_problems(metadata)):
        raise TenantUndeclared("\n".join(problems))


def _problems(metadata: MetaData) -> Iterator[str]:
    for table in metadata.tables.values():
        try:
            says = declared(table)
        except TenantUndeclared as undeclared:
            yield str(undeclared)
            continue
        if not has_tenant(table):
            if not says.because:
                yield f"The table {table.name} has no tenant: say why, as owned(tenant=None, because=…)."
        elif key_of(table) not in table.c:
            yield f"The table {table.name} has no column {key_of(table)}, which it declares."
        elif says.via is not None:
            yield from _problems_of_way(table, says)


def _problems_of_way(table: Table, says: Declared) -> Iterator[str]:
    """What is wrong with a `tenant_via`: it leads to the primary key of a table that has a tenant."""
    keys = [key.target_fullname for key in table.c[says.via or ""].foreign_keys]
    target = says.to or (keys[0] if len(keys) == 1 else "")
    name, _, column = target.partition(".")
    parent = table.metadata.tables.get(name)
    if parent is None or [each.name for each in parent.primary_key] != [column]:
        yield f"The table {table.name}: {says.via} must lead to the primary key of a table. Name it as to=…."
    elif parent is table or getattr(parent, "info", {}).get(_KEY) in (None, Declared()) or not has_tenant(parent):
        yield f"The table {table.name}: {says.via} leads to {name}, which has no tenant."


def _name(table: FromClause) -> str:
    return str(getattr(table, "name", "of this statement"))
