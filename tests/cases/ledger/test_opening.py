"""The books of the last release become statements and lines; what they had otherwise is listed; on both databases."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.cases.ledger.books import entries_of
from services.cases.ledger.domain.standing import account_standings
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared import migrations
from shared.runtime import Runtime
from tests.cases.conftest import NOON
from tests.databases import database

BEFORE_BOOKS = "0015"
PLAIN, TWO, TWICE, LOST = (UUID(int=number) for number in (1, 2, 3, 4))


def rows() -> dict[str, list[dict[str, Any]]]:
    """Four cases: one payment; two accounts; a file after the payment; a balance that was cut off at 0."""
    opened = NOON - timedelta(days=20)
    cases = [(PLAIN, "a", 600, 0), (TWO, "a", 700, 0), (TWICE, "b", 200, 0), (LOST, "a", 0, 0)]
    case = {"debtor_id": UUID(int=9), "placement_id": UUID(int=9), "jurisdiction": "tw", "country": "TW",
            "time_zone": "Asia/Taipei", "product": "CREDIT_CARD", "currency": "TWD", "days_past_due": 60,
            "bucket": "M2", "accounts": 1, "attempts_without_contact": 0, "refusals": 0, "referred": False,
            "holds": 0, "opened_at": opened, "version": 1}  # fmt: skip
    accounts = [
        (1, PLAIN, "a", 1000),
        (2, TWO, "a", 900),
        (3, TWO, "a", 300),
        (4, TWICE, "b", 600),
        (5, LOST, "a", 200),
    ]
    payments = [
        (10, PLAIN, "a", 400, "P-1", None),
        (20, TWO, "a", 500, "P-2", None),
        (30, TWICE, "b", 400, "P-3", None),
        (40, LOST, "a", 400, None, "C-1"),
    ]
    return {
        "lender": [{"id": name, "name": name, "created_at": opened} for name in "ab"],
        "placement": [
            {"id": UUID(int=9), "lender_id": "b", "sha256": "x", "media_type": "text/csv", "profile_version": 1,
             "bytes": 1, "status": "DONE", "received_at": NOON, "next_row": 1, "accepted": 1, "updated": 1,
             "rejected_by_code": {}, "accepted_minor": {}}
        ],
        "case_file": [
            {"id": id_, "lender_id": lender, "balance_minor": owed, "overpaid_minor": overpaid, **case}
            for id_, lender, owed, overpaid in cases
        ],
        "account": [
            {"id": UUID(int=number), "case_id": case_id, "lender_id": lender, "account_ref": f"A-{number}",
             "product": "CREDIT_CARD", "balance_minor": minor, "days_past_due": 60}
            for number, case_id, lender, minor in accounts
        ],
        "payment": [
            {"id": UUID(int=number), "case_id": case_id, "lender_id": lender, "amount_minor": minor, "currency": "TWD",
             "reference": reference, "receipt_number": receipt, "received_on": date(2026, 2, 20),
             "recorded_at": datetime(2026, 2, 21, tzinfo=UTC)}
            for number, case_id, lender, minor, reference, receipt in payments
        ],
    }  # fmt: skip


def table_of(name: str, row: dict[str, Any]) -> sa.TableClause:
    """A table of the last release, its types by the values of a row."""
    kinds = {UUID: sa.Uuid(), datetime: sa.DateTime(timezone=True), date: sa.Date(), dict: sa.JSON()}
    return sa.table(name, *(sa.column(column, kinds.get(type(value))) for column, value in row.items()))


@pytest.mark.dialect
async def test_what_was_owed_is_owed_and_what_was_wrong_is_listed(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> None:
    settings = CasesSettings(data_dir=tmp_path, clock=NOON, **database(request))
    url = settings.database_url_of("cases")
    await asyncio.to_thread(command.upgrade, migrations.config_of(SERVICE.migrations, url), BEFORE_BOOKS)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for name, lines in rows().items():
            await connection.execute(table_of(name, lines[0]).insert(), lines)
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    async with engine.connect() as connection:
        cases = SERVICE.tables.metadata.tables["case_file"]
        found = (await connection.execute(sa.select(cases).order_by(cases.c.id))).all()
        table = SERVICE.tables.metadata.tables["account"]
        accounts = (await connection.execute(sa.select(table).order_by(table.c.id))).all()
    assert [(each.balance_minor, each.overpaid_minor, each.asked_minor) for each in found] == [
        (600, 0, 600),
        (700, 0, 700),
        (200, 0, 200),
        (0, 200, 0),
    ]
    assert [each.opening and each.opening["causes"] for each in accounts] == [
        None,
        ["ACCOUNT_UNKNOWN"],
        ["ACCOUNT_UNKNOWN"],
        ["MAYBE_COUNTED_TWICE"],
        ["BALANCE_CHANGED"],
    ]
    assert accounts[-1].opening == {"causes": ["BALANCE_CHANGED"], "owed_minor": 0, "overpaid_minor": 0}
    runtime = Runtime(SERVICE, settings)
    await runtime.start()
    async with runtime.database.reading() as tx:
        entries = await entries_of(tx, [each.id for each in accounts])
    await runtime.close()
    derived = account_standings(entries, NOON.date())
    for each in accounts:  # what is kept is what the entries say
        position = derived[each.id].position
        assert (each.balance_minor, each.asked_minor, each.received_minor, each.payments, each.entries) == (
            position.balance_minor,
            position.asked_minor,
            derived[each.id].received_minor,
            derived[each.id].payments,
            len(entries[each.id]),
        )
    assert [each.unsettled for each in accounts] == [False] * 4 + [True]
