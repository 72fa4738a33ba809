"""Each day of the lender, open cases get a day older, change their bucket, and are referred; on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from services.cases.ageing import usecases
from services.cases.ageing.jobs import age_cases
from services.cases.ledger.tables import AccountRow
from shared.auth import Role
from tests.cases.conftest import NOON, System
from tests.cases.reports import line, register, report, send, taken


async def aged(system: System) -> int:
    """Runs until nothing is due. Returns how many pages there were."""
    pages = 0
    while await age_cases(system.runtime):
        pages += 1
    return pages


async def days_of(system: System) -> dict[str, tuple[int, str, bool]]:
    items = (await system.get("/cases"))["items"]
    return {
        each["accounts"][0]["account_ref"]: (each["days_past_due"], each["bucket"], each["referred"]) for each in items
    }


@pytest.mark.dialect
async def test_cases_age_with_the_lenders_days_page_by_page(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecases, "PAGE_CASES", 2)
    await register(system)
    rows = ("A-1,D,300000,29", "A-2,E,5,30", "A-3,F,5,90", "A-4,G,5,12")
    await send(system, *rows)
    assert await report(system, line("P-1", "5", "A-4")) == ["ACCEPTED"]
    before = await days_of(system)
    assert await aged(system) == 3
    assert await aged(system) == 0
    assert await days_of(system) == before
    assert before["A-4"][0] == 0  # paid in full
    await system.at(NOON + timedelta(hours=11))  # still Monday there
    assert await aged(system) == 0
    published = len(await system.published())
    await system.at(NOON + timedelta(days=2, hours=1))
    assert await aged(system) == 3
    assert await days_of(system) == {
        "A-1": (31, "M2", True),
        "A-2": (32, "M2", False),
        "A-3": (92, "M4", False),
        "A-4": (0, "M1", False),
    }
    assert [kind for kind, *_ in (await system.published())[published:]].count("case-updated") == 3
    await send(system, "A-3,F,5,4")
    assert (await days_of(system))["A-3"] == (4, "M1", False)


async def test_cash_that_no_line_confirms_is_listed_after_five_working_days(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60")
    [case] = (await system.get("/cases"))["items"]
    await system.hear(taken(case["id"], "500"))

    async def listed(days: int) -> int:
        await system.at(NOON + timedelta(days=days))
        await aged(system)
        async with system.runtime.database.reading() as tx:
            return (await tx.session.scalars(select(AccountRow))).one().differences

    assert [await listed(7), await listed(8)] == [0, 1]


async def test_a_lender_without_a_profile_keeps_no_other_waiting(system: System) -> None:
    await system.post("/lenders", {"id": "a-first", "name": "A"}, 201, Role.ADMIN)
    await register(system)
    await send(system, "A-1,D,1000,60")
    assert await aged(system) == 2
    await system.at(NOON + timedelta(days=1))
    await aged(system)
    assert (await days_of(system))["A-1"][0] == 61
