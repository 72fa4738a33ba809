"""Lines that wait for a person: no account is known for them, or their amount is absurd; on both databases."""

import pytest

from shared.auth import Role
from tests.cases.conftest import System
from tests.cases.reports import line, owed, register, report, send

LINES = "/payments/set-aside"


async def waiting(system: System, **query: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await system.get(LINES, **query))["items"]
    return found


@pytest.mark.dialect
async def test_a_line_without_an_account_is_kept_assigned_and_never_counted_twice(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60")
    lost = line("P-1", "300", "A-9")
    wrong = line("P-2", "0.001", "A-9")
    answers = await report(system, lost, lost, line("P-1", "301", "A-9"), wrong)
    assert answers == ["account-not-found"] * 2 + ["reference-reused", "amount-malformed"]
    [kept] = await waiting(system, status="OPEN", why="UNMATCHED")
    assert (kept["account_ref"], kept["line"]["amount"]) == ("A-9", {"amount": "300", "currency": "TWD"})
    post = f"{LINES}/{kept['id']}/post"
    await system.post(post, {}, 422)
    await system.post(post, {"account_ref": "A-8"}, 404)
    await system.post(post, {"account_ref": "A-1"}, 404, role=Role.LENDER)
    posted = await system.post(post, {"account_ref": "A-1"})
    assert (posted["status"], posted["settled_by"]) == ("POSTED", "supervisor:a-person")
    assert (await owed(system))[0] == "700"
    await system.post(post, {"account_ref": "A-1"}, 409)
    await send(system, "A-9,E,500,60")
    assert await report(system, lost) == ["DUPLICATE"]
    assert [each["balance"]["amount"] for each in (await system.get("/accounts"))["items"]] == ["700", "500"]


async def test_a_line_whose_account_comes_later_is_posted_when_it_is_sent_again(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60")
    early = line("P-1", "300", "A-9", received_on="2026-03-02", posted_on="2026-03-02")
    assert await report(system, early) == ["account-not-found"]
    await send(system, "A-9,E,500,60")
    assert await report(system, early, early) == ["ACCEPTED", "DUPLICATE"]
    assert [each["status"] for each in await waiting(system)] == ["POSTED"]


@pytest.mark.dialect
async def test_a_line_far_above_the_debt_waits_for_a_person(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60", "A-2,D,500,60")
    absurd = [line("P-1", "10001"), line("P-2", "5000000", "A-2"), line("P-3", "10000")]
    assert await report(system, *absurd, absurd[0]) == ["amount-absurd"] * 2 + ["ACCEPTED", "amount-absurd"]
    assert (await owed(system))[:2] == ("500", "9000")
    first, second = await waiting(system, why="REVIEW")
    await system.post(f"{LINES}/{first['id']}/post", {})
    assert (await owed(system))[:2] == ("500", "19001")
    assert (await system.post(f"{LINES}/{second['id']}/return"))["status"] == "RETURNED"
    assert await report(system, *absurd) == ["DUPLICATE", "line-returned", "DUPLICATE"]
    assert (await owed(system))[:2] == ("500", "19001")
    kinds = [kind for kind in await system.types() if kind == "payment-received"]
    assert len(kinds) == 2


async def test_what_the_books_refuse_waits_on(system: System) -> None:
    await register(system)
    await send(system, "A-1,D,1000,60")
    await report(system, line("P-1", "300", "A-9"), line("P-1", "300"))
    [kept] = await waiting(system)
    assert (await system.post(f"{LINES}/{kept['id']}/post", {"account_ref": "A-1"}))["status"] == "POSTED"
    assert (await owed(system))[0] == "700"  # the account has this line already
    other = line("P-2", "300", "A-9") | {"amount": {"amount": "3", "currency": "JPY"}}
    assert await report(system, other) == ["account-not-found"]
    [kept] = await waiting(system, status="OPEN")
    problem = await system.post(f"{LINES}/{kept['id']}/post", {"account_ref": "A-1"}, 409)
    assert problem["title"] == "currency-differs"
    assert len(await waiting(system, status="OPEN")) == 1
