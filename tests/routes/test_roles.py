"""docs/roles.md says what happens: each route is asked in every role that the page does not give it."""

import asyncio
import re
from pathlib import Path

import pytest

from docs.roles import COLUMNS, MAY
from shared.auth import Role
from shared.events.envelope import ActorRef
from tests.one_service import bearer

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
_ROW = re.compile(r"\| `([A-Z]+) (/\S+)` \|(.*)\|")


def routes_on_the_page() -> dict[str, set[Role]]:
    """Each route with the roles that the page gives it."""
    found = {}
    for method, path, cells in _ROW.findall(PAGE.read_text()):
        marks = [cell.strip() for cell in cells.split("|")]
        found[f"{method} {path}"] = {role for role, mark in zip(COLUMNS, marks, strict=True) if mark == MAY}
    return found


@pytest.mark.slow
async def test_each_route_refuses_every_role_that_the_page_does_not_give_it(doors) -> None:
    page = routes_on_the_page()
    guarded = [door for door in doors if door.headers]
    assert {door.name for door in guarded} == set(page)
    wrong = [each for door in guarded for each in await refusals(door, page[door.name])]
    assert wrong == []


async def refusals(door, roles: set[Role]) -> list[str]:
    """Where a route answers a stranger otherwise than by a refusal, in words."""
    expected = {role: 404 if role is Role.LENDER else 403 for role in Role if role not in roles}
    answers = await asyncio.gather(*(answer(door, token(door, role)) for role in expected), answer(door, {}))
    wanted = [*expected.items(), ("no token", 401)]
    return [
        f"{door.name} answers {got} to {role}"
        for (role, status), got in zip(wanted, answers, strict=True)
        if status != got
    ]


def token(door, role: Role) -> dict[str, str]:
    if role is Role.SERVICE:
        return {"Authorization": f"Bearer {door.runtime.service_token(ActorRef('supervisor', 's-1'))}"}
    return bearer(door.runtime, role)


async def answer(door, headers: dict[str, str]) -> int:
    return int((await door.client.request(door.method, door.url(), headers=headers)).status_code)


def test_every_role_has_a_column() -> None:
    assert set(COLUMNS) == set(Role)
