"""Reading one case: all that is shown of it comes in one statement."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from shared.auth import Role
from shared.events.visits import VisitMissed
from shared.ids import new_id
from tests.actors.samples import PROFILE

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
ONE_DEBTOR = {"columns": PROFILE["columns"] | {"debtor_ref": "days"}}


@contextmanager
def statements(system):
    """The statements on tables of cases that are executed meanwhile."""
    asked, engine = [], system.runtime.database.engine.sync_engine

    def note(_connection, _cursor, statement, *_more):
        if "FROM " in statement and not any(name in statement for name in ("business_clock", "idempotency")):
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def missed(case):
    return VisitMissed(
        case_id=case, visit_id=new_id(), team_id=new_id(), collector_ids=[new_id()], day=NOON.date(),
        reason="NO_CHECK_IN", known_status="DISPATCHED",
    )  # fmt: skip


@pytest.mark.dialect
@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.LENDER])
async def test_a_case_with_accounts_and_timeline_is_one_statement(system, role):
    case = await one_case(system)
    assert (await system.get(f"/cases/{case['id']}", role=role))["timeline"] == []
    later = NOON + timedelta(hours=2)
    await system.hear(missed(case["id"]), at=later)
    await system.hear(missed(case["id"]), at=NOON)
    with statements(system) as asked:
        found = await system.get(f"/cases/{case['id']}", role=role)
    assert len(asked) == 1
    timeline = found.pop("timeline")
    assert [datetime.fromisoformat(each["occurred_at"]) for each in timeline] == [NOON, later]
    assert {(each["type"], each["facts"]["reason"]) for each in timeline} == {
        ("doorstep.visits.visit-missed.v1", "NO_CHECK_IN")
    }
    [listed] = (await system.get("/cases", role=role))["items"]
    assert found == listed
    assert [each["account_ref"] for each in found["accounts"]] == ["A-1", "A-2"]
    await system.get(f"/cases/{new_id()}", 404, role=role)
    await system.get(f"/cases/{case['id']}", 404, role=Role.LENDER, lender_id="lender-2")


async def one_case(system):
    await system.place("A-1", "A-2", **ONE_DEBTOR)
    [case] = (await system.get("/cases"))["items"]
    return case


@pytest.mark.dialect
async def test_a_dossier_reads_each_kind_of_row_once_and_a_list_of_a_case_looks_for_it_once(system):
    case = (await one_case(system))["id"]
    with statements(system) as asked:
        assert (await system.get(f"/cases/{case}/dossier"))["accounts"][1]["account_ref"] == "A-2"
    tables = [re.search(r"FROM (\w+)", each)[1] for each in asked]
    assert tables == ["case_file", "account", "debtor", "subject_key", "notice", "law_version"]
    for path in ("holds", "notices", "consents", "referrals", "quiet-periods"):
        with statements(system) as asked:
            await system.get(f"/cases/{case}/{path}")
        assert len(asked) == 2, path
