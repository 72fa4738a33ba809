"""The statement that reads a case with all that is shown of it: beside each account and each line of the timeline, or
alone where it has neither. It is made of tables, since a lender's session takes no union of mapped classes.
"""

from typing import Any

from sqlalchemy import Column, Select, Table, bindparam, cast, literal, null, select, true, union_all

from services.cases.base import CasesTable
from services.cases.casefile.tables import CaseRow, TimelineRow
from services.cases.ledger.tables import AccountRow
from shared.lender_session import PREPARED

ACCOUNT, HAPPENED = "account", "happened"
CASE_COLUMNS = (
    "id", "lender_id", "jurisdiction", "country", "time_zone", "product", "currency", "balance_minor", "overpaid_minor",
    "asked_minor", "days_past_due", "bucket", "open_accounts", "referred", "holds", "opened_at",
)  # fmt: skip


def _table(row: type[CasesTable]) -> Table:
    return CasesTable.metadata.tables[str(row.__tablename__)]


_case, _account, _timeline = _table(CaseRow), _table(AccountRow), _table(TimelineRow)
_shown_of_account = ("account_ref", "product", "currency", "balance_minor", "asked_minor", "days_past_due", "state")
_shown_of_timeline = ("occurred_at", "type", "facts")
_columns: tuple[Column[Any], ...] = (
    *(_account.c[name] for name in _shown_of_account),
    *(_timeline.c[name] for name in _shown_of_timeline),
)


def _part(name: str, table: Table, key: Column[Any]) -> Select[Any]:
    """The rows of one part, in the order of `key`; null in the columns of the other part."""
    values = (each if each.table is table else cast(null(), each.type).label(each.name) for each in _columns)
    return select(literal(name).label("part"), key.label("key"), *values)


def _whole_file() -> Select[Any]:
    wanted = bindparam("case_id", type_=_case.c.id.type)
    accounts = _part(ACCOUNT, _account, _account.c.id).where(_account.c.case_id == wanted)
    timeline = _part(HAPPENED, _timeline, _timeline.c.event_id).where(_timeline.c.case_id == wanted)
    parts = union_all(accounts, timeline).subquery("parts")
    return (
        select(*(_case.c[name].label(f"case_{name}") for name in CASE_COLUMNS), parts)
        .select_from(_case.outerjoin(parts, true()))
        .where(_case.c.id == wanted)
        .order_by(parts.c.part, parts.c.occurred_at, parts.c.key)
    )


WHOLE_FILE = _whole_file().execution_options(**{PREPARED: True})
"""Give it `case_id`. The columns of the case are named case_…."""
