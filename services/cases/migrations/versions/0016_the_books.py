"""the books: entries of accounts, append-only

Each account gets a statement with the amount that its lender stated last, older than any file that may come. Each
payment becomes a line of an account, booked on the day on which it was reported: so it counts, as it did. What the
books before had otherwise, or what they did not know, is listed in `account.opening` and shown as differences:

- ACCOUNT_UNKNOWN: the case has several accounts, and the payments did not say which one they were for
- MAYBE_COUNTED_TWICE: a file of the lender came after the payment, so its balance may have the payment in it
- BALANCE_CHANGED: what the case owes, or is overpaid, was another sum before
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MESSAGE = "the ledger is append-only"
PAGE = 1_000
LISTED = sa.text("differences > 0")


def _new_of_account() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("currency", sa.String(), nullable=False, server_default=""),
        sa.Column("state", sa.String(), nullable=False, server_default="OPEN"),
        sa.Column("asked_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("received_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("payments", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("stated_days", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("stated_on", sa.Date(), nullable=False, server_default="1970-01-01"),
        sa.Column("entries", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("differences", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("unsettled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("opening", sa.JSON(none_as_null=True), nullable=True),
    )


def _new_of_case() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("asked_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("open_accounts", sa.Integer(), nullable=False, server_default="0"),
    )


def _table(name: str, *columns: Any) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, kind) for column, kind in columns))


MINOR, WHEN = sa.BigInteger(), sa.DateTime(timezone=True)
ENTRY = _table(
    "ledger_entry", ("id", sa.Uuid()), ("account_id", sa.Uuid()), ("lender_id", sa.String()), ("seq", sa.Integer()),
    ("kind", sa.String()), ("amount_minor", MINOR), ("currency", sa.String()), ("value_date", sa.Date()),
    ("posted_on", sa.Date()), ("assumed", sa.Boolean()), ("booked_at", WHEN), ("source", sa.String()),
    ("reference", sa.String()), ("receipt_number", sa.String()), ("days_past_due", sa.Integer()),
)  # fmt: skip
ACCOUNT = _table(
    "account", ("id", sa.Uuid()), ("case_id", sa.Uuid()), ("balance_minor", MINOR), ("days_past_due", sa.Integer()),
    ("currency", sa.String()), ("asked_minor", MINOR), ("received_minor", MINOR), ("payments", sa.Integer()),
    ("stated_days", sa.Integer()), ("stated_on", sa.Date()), ("entries", sa.Integer()), ("unsettled", sa.Boolean()),
    ("opening", sa.JSON(none_as_null=True)),
)  # fmt: skip
CASE = _table(
    "case_file", ("id", sa.Uuid()), ("lender_id", sa.String()), ("time_zone", sa.String()), ("currency", sa.String()),
    ("balance_minor", MINOR), ("overpaid_minor", MINOR), ("asked_minor", MINOR), ("open_accounts", sa.Integer()),
    ("opened_at", WHEN),
)  # fmt: skip
PAYMENT = _table(
    "payment", ("id", sa.Uuid()), ("case_id", sa.Uuid()), ("reference", sa.String()), ("receipt_number", sa.String()),
    ("amount_minor", MINOR), ("currency", sa.String()), ("received_on", sa.Date()), ("recorded_at", WHEN),
)  # fmt: skip
PLACEMENT = _table("placement", ("lender_id", sa.String()), ("received_at", WHEN), ("updated", sa.Integer()))


def upgrade() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("assumed", sa.Boolean(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("original_value_date", sa.Date(), nullable=True),
        sa.Column("components", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("receipt_number", sa.String(), nullable=True),
        sa.Column("refers_to", sa.String(), nullable=True),
        sa.Column("issue", sa.Integer(), nullable=True),
        sa.Column("days_past_due", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ledger_entry_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("account_id", "seq", name=op.f("uq_ledger_entry_account_id_seq")),
        sa.UniqueConstraint("account_id", "kind", "reference", name=op.f("uq_ledger_entry_account_id_kind_reference")),
    )
    op.create_index(op.f("ix_ledger_entry_receipt_number"), "ledger_entry", ["receipt_number"])
    for column in _new_of_account():
        op.add_column("account", column)
    for column in _new_of_case():
        op.add_column("case_file", column)
    op.create_index("ix_account_listed", "account", ["id"], sqlite_where=LISTED, postgresql_where=LISTED)
    with op.batch_alter_table("placement") as placement:
        placement.drop_constraint("uq_placement_lender_id_sha256", type_="unique")
        placement.add_column(sa.Column("as_of", sa.Date(), nullable=True))
        placement.add_column(sa.Column("issue", sa.Integer(), nullable=True))
    op.create_index("ix_placement_newest", "placement", ["lender_id", "id"])
    _write_the_books()
    op.drop_table("payment")
    for statement in _guards():
        op.execute(statement)


def _guards() -> list[str]:
    if op.get_bind().dialect.name == "sqlite":
        return [
            f"CREATE TRIGGER ledger_entry_no_{verb.lower()} BEFORE {verb} ON ledger_entry"
            f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        "CREATE FUNCTION refuse_change_of_entries() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$",
        "CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_entries()",
        "ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_append_only",
    ]


def _write_the_books() -> None:
    """A page of cases at a time."""
    connection = op.get_bind()
    files = _files_of_lenders()
    last = None
    while True:
        statement = sa.select(CASE).order_by(CASE.c.id).limit(PAGE)
        page = connection.execute(statement if last is None else statement.where(CASE.c.id > last)).all()
        if not page:
            return
        last = page[-1].id
        _write_page(page, files)


def _files_of_lenders() -> dict[str, datetime]:
    """When the last file came that stated known accounts again, by lender."""
    statement = sa.select(PLACEMENT.c.lender_id, sa.func.max(PLACEMENT.c.received_at)).where(PLACEMENT.c.updated > 0)
    rows = op.get_bind().execute(statement.group_by(PLACEMENT.c.lender_id)).all()
    return {lender_id: _utc(at) for lender_id, at in rows if at is not None}


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _write_page(page: Any, files: dict[str, datetime]) -> None:
    connection = op.get_bind()
    ids = [case.id for case in page]
    accounts, payments = defaultdict(list), defaultdict(list)
    for row in connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.case_id.in_(ids)).order_by(ACCOUNT.c.id)):
        accounts[row.case_id].append(row)
    for row in connection.execute(sa.select(PAYMENT).where(PAYMENT.c.case_id.in_(ids)).order_by(PAYMENT.c.id)):
        payments[row.case_id].append(row)
    entries: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    sums: list[dict[str, Any]] = []
    for case in page:
        if accounts[case.id]:
            written, of_accounts, of_case = _books_of(case, accounts[case.id], payments[case.id], files)
            entries += written
            kept += of_accounts
            sums.append(of_case)
    if entries:
        connection.execute(ENTRY.insert(), entries)
        names = ("balance_minor", "asked_minor", "received_minor", "payments", "currency", "stated_days", "stated_on",
                 "entries", "unsettled", "opening")  # fmt: skip
        new = {name: sa.bindparam(f"new_{name}", type_=ACCOUNT.c[name].type) for name in names}
        connection.execute(ACCOUNT.update().where(ACCOUNT.c.id == sa.bindparam("of")).values(new), kept)
        of_case = ("balance_minor", "overpaid_minor", "asked_minor", "open_accounts")
        sums_of_case: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in of_case}
        connection.execute(CASE.update().where(CASE.c.id == sa.bindparam("of")).values(sums_of_case), sums)


def _books_of(case: Any, accounts: list[Any], payments: list[Any], files: dict[str, datetime]) -> Any:
    zone = ZoneInfo(case.time_zone)
    opened_on = _utc(case.opened_at).astimezone(zone).date()
    left = {account.id: account.balance_minor for account in accounts}
    stated_on = max(_utc(case.opened_at), files.get(case.lender_id, datetime.min.replace(tzinfo=UTC)))
    days = (stated_on.astimezone(zone).date(), opened_on - timedelta(days=2))
    entries = [_statement(case, account, days) for account in accounts]
    count = dict.fromkeys(left, 1)
    received = dict.fromkeys(left, 0)
    cash = set()
    for payment in payments:
        account_id = max(left, key=lambda each: (left[each], str(each)))
        left[account_id] -= payment.amount_minor
        count[account_id] += 1
        received[account_id] += payment.amount_minor
        posted_on = max(_utc(payment.recorded_at).astimezone(zone).date(), opened_on)
        entries.append(_line(case, payment, account_id, count[account_id], posted_on))
        if payment.reference is None:
            cash.add(account_id)
    owed = sum(max(0, each) for each in left.values())
    overpaid = sum(max(0, -each) for each in left.values())
    opening = _opening(case, accounts, payments, files, owed, overpaid)
    kept = [
        {
            "of": account.id,
            "new_balance_minor": left[account.id],
            "new_asked_minor": left[account.id],
            "new_received_minor": received[account.id],
            "new_payments": count[account.id] - 1,
            "new_currency": case.currency,
            "new_stated_days": account.days_past_due,
            "new_stated_on": days[0],
            "new_entries": count[account.id],
            "new_unsettled": account.id in cash,
            "new_opening": opening,
        }
        for account in accounts
    ]
    return entries, kept, {
        "of": case.id,
        "new_balance_minor": owed,
        "new_overpaid_minor": overpaid,
        "new_asked_minor": owed,
        "new_open_accounts": len(accounts),
    }  # fmt: skip


def _opening(
    case: Any, accounts: list[Any], payments: list[Any], files: dict[str, datetime], owed: int, overpaid: int
) -> dict[str, Any] | None:
    causes = []
    if payments and len(accounts) > 1:
        causes.append("ACCOUNT_UNKNOWN")
    last_file = files.get(case.lender_id)
    if last_file is not None and any(_utc(payment.recorded_at) < last_file for payment in payments):
        causes.append("MAYBE_COUNTED_TWICE")
    if (owed, overpaid) != (case.balance_minor, case.overpaid_minor):
        causes.append("BALANCE_CHANGED")
    if not causes:
        return None
    return {"causes": causes, "owed_minor": case.balance_minor, "overpaid_minor": case.overpaid_minor}


def _statement(case: Any, account: Any, days: tuple[date, date]) -> dict[str, Any]:
    """Its id is the account's: each account has one such entry. Its days past due are those of the lender's last file;
    no file of a later day is older than it."""
    stated_on, through = days
    return {
        "id": account.id,
        "account_id": account.id,
        "lender_id": case.lender_id,
        "seq": 1,
        "kind": "STATEMENT",
        "amount_minor": account.balance_minor,
        "currency": case.currency,
        "value_date": stated_on,
        "posted_on": through,
        "assumed": True,
        "booked_at": _utc(case.opened_at),
        "source": "opening",
        "reference": None,
        "receipt_number": None,
        "days_past_due": account.days_past_due,
    }


def _line(case: Any, payment: Any, account_id: Any, seq: int, posted_on: date) -> dict[str, Any]:
    """Its id is the payment's, which the trail names."""
    kind = "PAYMENT" if payment.receipt_number is None else "CASH_CONFIRMED"
    return {
        "id": payment.id,
        "account_id": account_id,
        "lender_id": case.lender_id,
        "seq": seq,
        "kind": "CASH" if payment.reference is None else kind,
        "amount_minor": -payment.amount_minor,
        "currency": payment.currency,
        "value_date": payment.received_on,
        "posted_on": posted_on,
        "assumed": True,
        "booked_at": _utc(payment.recorded_at),
        "source": "opening",
        "reference": payment.reference,
        "receipt_number": payment.receipt_number,
        "days_past_due": None,
    }


def downgrade() -> None:
    """The tables of before, and in them the balances of now. The payments are lost: to go back with them, restore a
    backup."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("ledger_entry")
    else:
        op.execute("DROP TABLE ledger_entry")
        op.execute("DROP FUNCTION refuse_change_of_entries()")
    op.drop_index("ix_account_listed", "account")
    for column in _new_of_account():
        op.drop_column("account", column.name)
    for column in _new_of_case():
        op.drop_column("case_file", column.name)
    op.drop_index("ix_placement_newest", "placement")
    with op.batch_alter_table("placement") as placement:
        placement.drop_column("issue")
        placement.drop_column("as_of")
        placement.create_unique_constraint("uq_placement_lender_id_sha256", ["lender_id", "sha256"])
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("receipt_number", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("lender_id", "reference", name=op.f("uq_payment_lender_id_reference")),
        sa.UniqueConstraint("lender_id", "receipt_number", name=op.f("uq_payment_lender_id_receipt_number")),
    )
    op.create_index(op.f("ix_payment_case_id"), "payment", ["case_id"])
