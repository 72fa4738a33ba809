"""Files are taken in by sets: the rooms that own the tables open cases, debtors and accounts of a batch together."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from services.cases.casefile.tables import CaseRow
from services.cases.ledger.tables import AccountRow
from shared import job_runner
from shared.bulk import among, each_of
from tests.actors.samples import PROFILE, file_of, row
from tests.cases.conftest import System
from tests.databases import DATABASES
from tests.one_service import LENDER

DEBTORS = {"columns": PROFILE["columns"] | {"debtor_ref": "name"}}


@pytest.fixture(autouse=True)
def _undisturbed(monkeypatch) -> None:
    """The worker does not look at its claim while statements are counted."""
    monkeypatch.setattr(job_runner, "LOOK_SECONDS", 60)


@contextmanager
def statements_of(system: System) -> Iterator[Counter[str]]:
    """The statements that write or lock, by their first three words."""
    seen: Counter[str] = Counter()

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen[" ".join(statement.split()[:3])] += 1

    engine = system.runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def test_a_batch_costs_as_many_statements_as_one_row(system: System):
    await system.place("A-0")
    with statements_of(system) as few:
        await system.take_in(file_of(row("B-1")))
    with statements_of(system) as many:
        await system.take_in(file_of(*(row(f"C-{number}") for number in range(60))))
    assert few == many
    assert not any(statement.startswith("UPDATE case_file") for statement in many)


@pytest.mark.dialect
async def test_a_second_file_costs_as_many_statements_for_many_rows_as_for_two(system: System):
    await system.place(*(f"A-{number}" for number in range(60)), **DEBTORS)  # one debtor: all are named alike
    with statements_of(system) as few:
        await system.take_in(file_of(*(row(f"A-{number}", 260_000) for number in range(2)), row("B-1")))
    with statements_of(system) as many:
        await system.take_in(file_of(*(row(f"A-{number}", 270_000) for number in range(60)), row("B-2")))
    assert few == many


@pytest.mark.dialect
async def test_accounts_of_one_debtor_in_a_file_open_one_case_with_their_sums(system: System):
    await system.place("A-0", **DEBTORS)
    await system.take_in(
        file_of(row("B-1", 100, 31, name="李"), row("B-2", 250, 65, name="李"), row("B-3", 70, 5, name="陳"))
    )
    async with system.runtime.database.reading() as tx:
        cases = {case.balance_minor: case for case in await tx.session.scalars(select(CaseRow))}
        accounts = Counter([account.case_id for account in await tx.session.scalars(select(AccountRow))])
    both, one = cases[350_00], cases[70_00]
    assert (both.accounts, both.days_past_due, both.bucket, accounts[both.id]) == (2, 65, "M3", 2)
    assert (one.accounts, one.days_past_due, one.bucket, accounts[one.id]) == (1, 5, "M1", 1)
    said = [
        (kind, json.loads(payload), int(headers["ce_sequence"]))
        for kind, headers, payload in await system.published()
        if headers["ce_subject"] == str(both.id)
    ]
    assert [(kind, number) for kind, _, number in said] == [("case-opened", 1), ("notice-recorded", 2)]
    assert (said[0][1]["accounts"], said[0][1]["balance"]["amount"], both.version) == (2, "350", 2)


@pytest.mark.parametrize("wanted", [[], ["A-1"], ["A-2", "A-0", "Z", "A-2"], [f"A-{n}" for n in range(700)]])
async def test_a_look_up_finds_what_is_in_a_list_of_any_length_once(system: System, wanted: list[str]):
    await system.place("A-0", "A-1", "A-2")
    reference, own = col(AccountRow.account_ref), col(AccountRow.lender_id) == LENDER
    other = col(AccountRow.lender_id) == "another"
    async with system.runtime.database.reading() as tx:
        by_array = await tx.session.scalars(select(AccountRow).where(own, among(tx, reference, wanted)))
        one_by_one = await tx.session.scalars(each_of(tx, AccountRow, reference, wanted, own))
        of_another = await tx.session.scalars(each_of(tx, AccountRow, reference, wanted, other))
    expected = sorted(set(wanted) & {"A-0", "A-1", "A-2"})
    assert sorted(row.account_ref for row in by_array) == expected
    assert sorted(row.account_ref for row in one_by_one) == expected
    assert of_another.all() == []


@pytest.mark.parametrize("database_kind", DATABASES[1:], indirect=True)  # SQLite plans each statement by what is stored
async def test_a_look_up_uses_the_whole_index_by_a_plan_that_was_made_while_the_table_was_empty(system: System):
    """The plan is kept for the connection: what reads every account of the lender then gets slower with each file."""
    async with system.runtime.database.transaction() as tx:
        statement = each_of(tx, AccountRow, col(AccountRow.account_ref), ["A"], col(AccountRow.lender_id) == LENDER)
        text = str(statement.compile(tx.session.get_bind()))
        connection = await tx.session.connection()
        for line in ("SET LOCAL plan_cache_mode = force_generic_plan", f"PREPARE known AS {text}"):
            await connection.exec_driver_sql(line)
        plan = await connection.exec_driver_sql("EXPLAIN EXECUTE known (ARRAY['A'], 'lender-1')")
        shown = "\n".join(line for (line,) in plan)
    assert "account_ref" in shown.partition("Index Cond:")[2].partition("\n")[0], shown
