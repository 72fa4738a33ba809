"""What an earlier release judged, and would be judged otherwise now, is listed and stays as it is."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from services.followup.promises.domain import PromiseStatus
from services.followup.promises.tables import PromiseRow
from shared.auth import Role
from shared.ids import new_id
from tests.followup.conftest import MONDAY, noon, paid, promised, taken_back

FRIDAY = MONDAY + timedelta(days=4)
LATER = noon(MONDAY + timedelta(days=21))


async def judged_before(system, status: PromiseStatus, *payments, ended_on=FRIDAY):
    """A promise of 1000 until Friday that an earlier release ended so, with its case's payments."""
    case, promise = new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    frozen = {"status": status, "frozen": True, "check_at": None, "ended_on": ended_on}
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(PromiseRow).where(PromiseRow.id == promise).values(frozen))
    for pay in payments:
        await system.hear(pay(case))
    return str(promise)


async def listed(system, **query):
    return await system.get("/promises/old-judgements", role=Role.COMPLIANCE, **query)


@pytest.mark.dialect
async def test_a_judgement_that_would_be_another_is_listed_with_both_and_the_reasons(system):
    paid_in_time = await judged_before(system, PromiseStatus.BROKEN, lambda case: paid(case, "1000", FRIDAY))
    await judged_before(system, PromiseStatus.BROKEN)
    await judged_before(system, PromiseStatus.KEPT, lambda case: paid(case, "1000", FRIDAY))
    await judged_before(system, PromiseStatus.CANCELLED, ended_on=MONDAY)
    await system.at(LATER)
    [item] = (await listed(system))["items"]
    assert (item["promise_id"], item["lender_id"]) == (paid_in_time, "lender-1")
    assert (item["status"], item["would_be"]) == ("BROKEN", "KEPT")
    assert (item["paid"]["amount"], item["would_have_paid"]["amount"]) == ("0", "1000")
    assert "TWD 1000 of 2026-03-06 counted." in item["explanation"]["en"]
    assert len(item["explanation"]["zh"]) == len(item["explanation"]["en"])
    promise = await system.get(f"/promises/{paid_in_time}")
    assert promise["status"] == "BROKEN"
    assert "promise-cured" not in await system.types()


async def test_a_returned_payment_shows_a_promise_that_was_kept_by_it(system):
    payment = new_id()
    kept = await judged_before(
        system,
        PromiseStatus.KEPT,
        lambda case: paid(case, "1000", FRIDAY, payment_id=payment),
        lambda case: taken_back(case, "1000", FRIDAY, payment_id=payment),
    )
    await system.at(LATER)
    assert [(item["promise_id"], item["would_be"]) for item in (await listed(system))["items"]] == [(kept, "BROKEN")]


async def test_a_promise_that_this_release_judged_is_not_listed(system):
    await system.hear(promised(new_id(), (FRIDAY, "1000")))
    await system.settle_at(LATER)
    assert await listed(system) == {"items": [], "next_cursor": None}


async def test_pages_look_at_so_many_promises_each_and_miss_none(system):
    mine = [
        await judged_before(system, PromiseStatus.BROKEN, *([lambda case: paid(case, "1000", FRIDAY)] * (n % 2)))
        for n in range(5)
    ]
    await system.at(LATER)
    found, cursor = [], {}
    for _ in range(4):
        page = await listed(system, limit=2, **cursor)
        found += [item["promise_id"] for item in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == [mine[1], mine[3]]


@pytest.mark.parametrize(
    ("role", "expect"), [(Role.LENDER, 404), (Role.CALLER, 403), (Role.ADMIN, 403), (Role.COLLECTOR, 403)]
)
async def test_no_other_role_reads_them(system, role, expect):
    await system.get("/promises/old-judgements", expect, role)
