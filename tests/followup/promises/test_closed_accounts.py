"""Accounts that leave end the promises about them: paid, they are kept; recalled, they are void."""

from datetime import timedelta

import pytest

from shared.events import cases
from shared.ids import new_id
from tests.followup.conftest import MONDAY, noon, promised

FRIDAY = MONDAY + timedelta(days=4)


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("recalled", "status", "kind"), [(False, "KEPT", "promise-kept"), (True, "CANCELLED", "promise-cancelled")]
)
async def test_a_closed_case_ends_its_promise_and_a_reopened_one_opens_it(system, recalled, status, kind):
    case, promise = new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    closed = cases.CaseRecalled(case_id=case) if recalled else cases.CaseClosed(case_id=case, reason="PAID")
    await system.hear(closed, at=noon(MONDAY + timedelta(days=1)))
    shown = await system.get(f"/promises/{promise}")
    assert (shown["status"], shown["paid"]["amount"]) == (status, "0")
    assert (await system.types())[-1] == kind
    await system.hear(cases.CaseReopened(case_id=case, reason="PAID"))
    assert (await system.get(f"/promises/{promise}"))["status"] == "ACTIVE"
    assert (await system.types())[-1] == "promise-reopened"
    await system.settle_at(noon(MONDAY + timedelta(days=14)))
    assert (await system.get(f"/promises/{promise}"))["status"] == "BROKEN"


async def test_new_debt_breaks_no_promise_that_the_balance_kept(system):
    case, promise = new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    await system.hear(cases.CaseClosed(case_id=case, reason="PAID"), at=noon(MONDAY + timedelta(days=1)))
    await system.hear(cases.CaseReopened(case_id=case, reason="PAID", cause="STATEMENT"))
    await system.settle_at(noon(MONDAY + timedelta(days=30)))
    assert (await system.get(f"/promises/{promise}"))["status"] == "KEPT"
    assert await system.types() == ["promise-made", "promise-kept"]


async def test_a_recalled_account_ends_the_promise_about_it_only(system):
    case, whole = new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=whole))
    recalled = cases.AccountsRecalled(case_id=case, account_ids=[new_id()], reason="SOLD")
    await system.hear(recalled, at=noon(MONDAY + timedelta(days=1)))
    assert (await system.get(f"/promises/{whole}"))["status"] == "ACTIVE"


async def promise_about(system, case, account):
    """A promise of Monday about one account."""
    event = promised(case, (FRIDAY, "1000"))
    terms = event.promise.model_copy(update={"account_ids": [account]})
    await system.hear(event.model_copy(update={"promise": terms}))
    return terms.promise_id


@pytest.mark.dialect
async def test_a_recalled_account_is_not_paid_with_the_rest_of_its_case_and_stays_away_when_that_owes_again(system):
    case, account = new_id(), new_id()
    promise = await promise_about(system, case, account)
    recalled = cases.AccountsRecalled(case_id=case, account_ids=[account], reason="SOLD")
    closed, again = (kind(case_id=case, reason="PAID") for kind in (cases.CaseClosed, cases.CaseReopened))
    for event in (recalled, closed, again):
        await system.hear(event, at=noon(MONDAY + timedelta(days=1)))
        assert (await system.get(f"/promises/{promise}"))["status"] == "CANCELLED"
    await system.settle_at(noon(MONDAY + timedelta(days=14)))
    assert await system.types() == ["promise-made", "promise-cancelled"]


async def test_a_recalled_account_comes_back_with_its_case(system):
    case, account = new_id(), new_id()
    promise = await promise_about(system, case, account)
    recalled = cases.AccountsRecalled(case_id=case, account_ids=[account], reason="SOLD")
    await system.hear(recalled, cases.CaseRecalled(case_id=case), at=noon(MONDAY + timedelta(days=1)))
    await system.hear(cases.CaseReopened(case_id=case, reason="RECALLED"))
    assert (await system.get(f"/promises/{promise}"))["status"] == "ACTIVE"


async def test_a_promise_about_a_recalled_case_is_void_until_the_case_is_placed_again(system):
    case, promise = new_id(), new_id()
    await system.hear(cases.CaseRecalled(case_id=case), at=noon(MONDAY - timedelta(days=3)))
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    assert (await system.get(f"/promises/{promise}"))["status"] == "CANCELLED"
    await system.hear(cases.CaseReopened(case_id=case, reason="RECALLED"))
    assert (await system.get(f"/promises/{promise}"))["status"] == "ACTIVE"
    assert await system.types() == ["promise-made", "promise-cancelled", "promise-reopened"]
