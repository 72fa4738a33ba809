"""Payments and promises of many cases in one batch: as many statements as for one case."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event

from services.followup.promises.domain import PromiseStatus
from shared.ids import new_id
from tests.followup.conftest import MONDAY, conserved, paid, promised

FRIDAY = MONDAY + timedelta(days=4)


@pytest.mark.dialect
async def test_a_batch_costs_one_statement_a_table_however_many_cases_it_is_about(system):
    counts = []
    statements = Counter()

    def count(_connection, _cursor, statement, *_rest):
        statements[" ".join(statement.split()[:3])] += 1

    engine = system.runtime.database.engine.sync_engine
    for size in (2, 20):
        cases = [new_id() for _ in range(size)]
        event.listen(engine, "before_cursor_execute", count)
        await system.hear(*(promised(case, (FRIDAY, "1000")) for case in cases))
        await system.hear(*(paid(case, "1000" if n % 2 else "400", MONDAY) for n, case in enumerate(cases)))
        event.remove(engine, "before_cursor_execute", count)
        counts.append(Counter(statements))
        statements.clear()
    assert counts[0] == counts[1]


async def test_a_batch_comes_to_what_its_events_come_to_one_by_one(system):
    one, other, third = new_id(), new_id(), new_id()
    await system.hear(
        paid(one, "400", MONDAY),
        promised(one, (FRIDAY, "1000")),
        promised(other, (FRIDAY, "1000")),
        paid(one, "600", MONDAY),
        promised(third),
        paid(other, "999", FRIDAY),
        paid(third, "5", MONDAY),
    )
    kept = await system.get("/promises", status=PromiseStatus.KEPT)
    assert [item["case_id"] for item in kept["items"]] == [str(one)]
    [(_, headers, _)] = [each for each in await system.published() if each[0] == "promise-kept"]
    assert headers["ce_partitionkey"] == str(one)
    totals = await system.totals()
    assert conserved(totals)
    assert totals["money"]["TWD"]["applied_to_promises"] == "1999"
