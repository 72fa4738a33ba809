"""What followup knows of a case, and who may see it."""

import asyncio

import pytest

from services.followup.caseload.usecases import lock
from shared.auth import Role
from shared.ids import new_id
from tests.followup.conftest import MONDAY, opened, paid, promised, running, taken_back


@pytest.mark.dialect
async def test_a_case_shows_where_it_is_and_what_was_taken_back(system):
    case, payment = new_id(), new_id()
    known = taken_back(case, "400", MONDAY, payment_id=payment)
    unknown = taken_back(case, "0.05", MONDAY, currency="USD")
    await system.hear(opened(case, region="TPE"))
    await system.hear(paid(case, "400", MONDAY, payment_id=payment))
    await system.hear(known, unknown)
    shown = await system.get(f"/cases/{case}", role=Role.COMPLIANCE)
    assert (shown["jurisdiction"], shown["country"], shown["region"]) == ("tw", "TW", "TPE")
    assert shown["time_zone"] == "Asia/Taipei"
    by_id = {each["reversal_id"]: each for each in shown["reversals"]}
    first, second = by_id[str(known.reversal_id)], by_id[str(unknown.reversal_id)]
    assert (first["payment_id"], first["amount"]) == (str(payment), {"amount": "400", "currency": "TWD"})
    assert (second["payment_id"], second["amount"]["amount"]) == (None, "0.05")
    assert (first["received_on"], first["provisional"]) == (str(MONDAY), False)


async def test_a_reversal_before_its_case_or_its_payment_waits_for_them(system):
    case = new_id()
    await system.hear(taken_back(case, "400", MONDAY, payment_id=new_id(), provisional=True))
    await system.get(f"/cases/{case}", expect=404)
    await system.hear(opened(case))
    [shown] = (await system.get(f"/cases/{case}"))["reversals"]
    assert shown["provisional"]


async def test_a_lender_sees_its_own_cases_only(system):
    mine, theirs = new_id(), new_id()
    await system.hear(opened(mine), taken_back(mine, "400", MONDAY))
    await system.hear(opened(theirs, "lender-2"), taken_back(theirs, "400", MONDAY), lender_id="lender-2")
    assert len((await system.get(f"/cases/{mine}", role=Role.LENDER))["reversals"]) == 1
    await system.get(f"/cases/{theirs}", role=Role.LENDER, expect=404)
    assert len((await system.get(f"/cases/{theirs}", role=Role.LENDER, lender_id="lender-2"))["reversals"]) == 1


@pytest.mark.dialect
async def test_the_first_event_of_a_case_makes_its_row_and_names_its_lender(system):
    case = new_id()
    for lender in (None, "lender-1", "lender-2"):
        async with system.runtime.database.transaction() as tx:
            assert (await lock(tx, {case: lender}))[case].lender_id == (lender and "lender-1")


@pytest.mark.servers
async def test_who_locks_a_case_holds_back_its_promises(on_postgresql):
    async with running(on_postgresql) as system:
        case = new_id()
        await system.hear(paid(case, "1", MONDAY))
        async with system.runtime.database.transaction() as tx:
            await lock(tx, {case: None})
            hearing = asyncio.create_task(system.hear(promised(case, (MONDAY, "10"))))
            assert not (await asyncio.wait([hearing], timeout=0.2))[0]
        await hearing
        assert await system.types() == ["promise-made"]
