"""The holds and the referrals of a case come in pages, as every list does."""

from typing import Any

import pytest
from sqlalchemy import select

from services.cases.referral.tables import ReferralRow
from shared.auth import Role
from shared.ids import new_id
from tests.cases.reports import line, report
from tests.one_service import LENDER

HOLD = {"reason": "HARDSHIP_REVIEW", "review_on": "2026-04-01"}


async def every(system: Any, path: str, **query: Any) -> list[list[str]]:
    """The ids of each page."""
    pages, cursor = [], None
    while True:
        page = await system.get(path, **query, **({"cursor": cursor} if cursor else {}))
        pages.append([each["id"] for each in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages


@pytest.mark.dialect
async def test_holds_come_in_pages_in_the_order_in_which_they_were_placed(system) -> None:
    case, other = await system.place("A-1", "A-2")
    assert await system.get(f"/cases/{case}/holds") == {"items": [], "next_cursor": None}
    placed = [(await system.post(f"/cases/{case}/holds", HOLD, 201))["id"] for _ in range(4)]
    await system.post(f"/holds/{placed[0]}/release", {"reason": "The review is done."})
    assert await every(system, f"/cases/{case}/holds", limit=3) == [placed[:3], placed[3:]]
    assert await every(system, f"/cases/{case}/holds", limit=4) == [placed]
    assert await every(system, f"/cases/{case}/holds") == [placed]
    cursor = (await system.get(f"/cases/{case}/holds", limit=1))["next_cursor"]
    await system.get(f"/cases/{other}/holds", expect=422, cursor=cursor)
    await system.get(f"/cases/{new_id()}/holds", expect=404)


@pytest.mark.dialect
async def test_referrals_come_in_pages_and_a_lender_sees_those_of_its_own_cases(system) -> None:
    [case] = await system.place("A-1")
    path = f"/cases/{case}/referrals"
    async with system.runtime.database.transaction() as tx:
        first = (await tx.session.scalars(select(ReferralRow))).one()
        again = first.model_dump() | {"rule_id": "again"}
        tx.session.add_all(ReferralRow(**again | {"id": new_id()}) for _ in range(2))
    pages = await every(system, path, limit=2)
    assert [len(page) for page in pages] == [2, 1]
    assert pages[0][0] == str(first.id)
    assert await every(system, path, role=Role.LENDER) == [[*pages[0], *pages[1]]]
    assert (await system.get(path))["items"][0]["rule_id"] == first.rule_id
    await system.get(path, expect=404, role=Role.LENDER, lender_id=f"not-{LENDER}")


BY_LENDER = {"/accounts", "/cases", "/payments", "/payments/set-aside", "/placements"}
"""The lists of all services that have a filter `lender_id`: tests/routes/test_lender_filters.py finds them."""


@pytest.mark.dialect
@pytest.mark.parametrize("path", sorted(BY_LENDER))
async def test_a_filter_by_lender_narrows_what_the_caller_may_see(system, path):
    await system.place("A-1")
    await report(system, line("P-1", "1"), line("P-1", "1", "A-9"))
    for role, lender, filtered, expected in (
        (Role.LENDER, LENDER, LENDER, 1),
        (Role.LENDER, LENDER, "lender-2", 0),
        (Role.LENDER, "lender-2", LENDER, 0),
        (Role.LENDER, "lender-2", "lender-2", 0),
        (Role.SUPERVISOR, LENDER, LENDER, 1),
        (Role.SUPERVISOR, LENDER, "lender-2", 0),
        (Role.SUPERVISOR, LENDER, "never-registered", 0),
    ):
        found = await system.get(f"{path}?lender_id={filtered}", role=role, lender_id=lender)
        assert (len(found["items"]), found["next_cursor"]) == (expected, None), (role, lender, filtered)
