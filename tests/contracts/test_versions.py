"""Every room of versioned documents keeps the same promises over HTTP. `ROOMS` lists them; a new one adds a `Room`."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI

from services.cases.app import create_app as create_cases
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE as CASES
from services.visits.app import create_app as create_visits
from services.visits.settings import VisitsSettings
from services.visits.worker import SERVICE as VISITS
from shared.auth import Role
from shared.law import load_packs
from shared.runtime import Runtime
from shared.versions.tables import VersionColumns
from tests.actors.samples import PROFILE
from tests.cases.conftest import NOON
from tests.databases import database, migrated
from tests.one_service import LENDER, OneService, client_of

TW = load_packs()["tw"]
FIRST_DAYS = {1: "2026-03-10", 2: "2026-03-11", 3: "2026-03-12"}  # of packs; profiles are in force at once
LATER, LONG_AGO = "2026-04-01", "2026-02-01"


class Room(Protocol):
    """What the suite asks of a room. Versions differ by a number `n`: the content, and where a second person decides,
    name and first day."""

    table: str
    versions: str
    role: Role

    async def prepare(self, system: OneService) -> None: ...
    async def upload(self, system: OneService, n: int, *, dry_run: bool = False) -> httpx.Response: ...
    async def decide(self, system: OneService, n: int) -> None: ...
    def name(self, n: int) -> Any: ...


class Packs:
    table = "rule_pack_version"
    versions = "/visits/v1/rule-packs/tw/versions"
    role = Role.COMPLIANCE

    async def prepare(self, system: OneService) -> None:
        """The pack ships with the program."""

    async def upload(self, system: OneService, n: int, *, dry_run: bool = False) -> httpx.Response:
        text = TW.text.replace(f'version: "{TW.version}"', f'version: "2027.{n}"')
        text = text.replace("until: 22:00", f"until: {22 - n}:00")
        query = f"?effective_from={FIRST_DAYS[n]}" + ("&dry_run=true" if dry_run else "")
        headers = self._officer(system, "anna") | {"Content-Type": "application/yaml"}
        return await system.client.post(self.versions + query, content=text, headers=headers)

    async def decide(self, system: OneService, n: int) -> None:
        path = f"{self.versions}/2027.{n}/approve"
        assert (await system.client.post(path, headers=self._officer(system, "anna"))).status_code == 403
        assert (await system.client.post(path, headers=self._officer(system, "berta"))).status_code == 200

    def name(self, n: int) -> str:
        return f"2027.{n}"

    def _officer(self, system: OneService, subject: str) -> dict[str, str]:
        return system.bearer(Role.COMPLIANCE, subject=subject)


class Profiles:
    table = "feed_profile_version"
    versions = f"/cases/v1/lenders/{LENDER}/profile/versions"
    role = Role.LENDER

    async def prepare(self, system: OneService) -> None:
        await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)

    async def upload(self, system: OneService, n: int, *, dry_run: bool = False) -> httpx.Response:
        path = self.versions.removesuffix("/versions") + ("?dry_run=true" if dry_run else "")
        profile = PROFILE | {"days_in_month": 27 + n}
        return await system.client.put(path, json=profile, headers=system.bearer(Role.LENDER, subject="anna"))

    async def decide(self, system: OneService, n: int) -> None:
        """A lender decides alone."""

    def name(self, n: int) -> int:
        return n


ROOMS: dict[str, tuple[Room, Any, Any, Any]] = {
    "packs": (Packs(), VisitsSettings, VISITS, create_visits),
    "profiles": (Profiles(), CasesSettings, CASES, create_cases),
}


def test_each_table_of_versions_has_a_room_here() -> None:
    tables = {row.__tablename__ for row in VersionColumns.__subclasses__()}
    assert tables == {room.table for room, *_ in ROOMS.values()}


@dataclass(frozen=True, slots=True)
class World:
    """A room in its service, and what a reader of versions asks there."""

    room: Room
    system: OneService

    async def upload(self, n: int, *, dry_run: bool = False) -> httpx.Response:
        return await self.room.upload(self.system, n, dry_run=dry_run)

    async def bring_into_force(self, *numbers: int) -> None:
        for n in numbers:
            answer = await self.upload(n)
            assert answer.status_code in (200, 201), answer.text
            await self.room.decide(self.system, n)

    async def ask(self, path: str = "", expect: int = 200, **query: Any) -> Any:
        path = self.room.versions + path
        headers = self.system.bearer(self.room.role)
        answer = await self.system.client.get(path, headers=headers, params=query or None)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def uploaded(self, **query: Any) -> list[dict[str, Any]]:
        return [each for each in (await self.ask(**query))["items"] if each["status"] != "SHIPPED"]


@pytest.fixture(params=ROOMS)
def app(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> tuple[Room, Runtime, FastAPI]:
    room, settings, service, create_app = ROOMS[request.param]
    runtime = Runtime(service, migrated(settings(data_dir=tmp_path, clock=NOON, **database(request, service)), service))
    return room, runtime, create_app(runtime)


@pytest.fixture
async def world(app: tuple[Room, Runtime, FastAPI]) -> AsyncIterator[World]:
    room, runtime, made = app
    async with client_of(made) as client:
        system = OneService(runtime, client)
        await room.prepare(system)
        yield World(room, system)


@pytest.mark.dialect
async def test_versions_are_listed_in_their_order_page_by_page(world: World) -> None:
    await world.bring_into_force(1, 2, 3)
    found, cursor = [], {}
    while True:
        page = await world.ask(limit=1, **cursor)
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    names = [each["version"] for each in found if each["status"] != "SHIPPED"]
    assert names == [world.room.name(n) for n in (1, 2, 3)]


async def test_a_version_says_what_it_changes_and_who_brought_it_when(world: World) -> None:
    await world.bring_into_force(1, 2)
    shown = await world.ask(f"/{world.room.name(2)}")
    assert shown["uploaded_by"].endswith(":anna")
    assert shown["uploaded_at"] == "2026-03-02T04:00:00Z"
    assert (shown["status"], shown["withdrawn_by"], shown["first_used_at"]) == ("ACTIVATED", None, None)
    assert len(shown["digest"]) == 64
    assert len(shown["differences"]["en"]) == len(shown["differences"]["zh"]) > 0
    listed = (await world.uploaded())[1]
    assert listed == {name: value for name, value in shown.items() if name in listed}


async def test_a_dry_run_shows_what_would_change_and_stores_nothing(world: World) -> None:
    await world.bring_into_force(1)
    before = await world.uploaded()
    dry = await world.upload(2, dry_run=True)
    assert (dry.status_code, "location" in dry.headers, "etag" in dry.headers) == (200, False, False)
    assert await world.uploaded() == before
    stored = (await world.upload(2)).json()
    assert (stored["version"], stored["differences"]) == (dry.json()["version"], dry.json()["differences"])
    assert stored["differences"]["en"]


@pytest.mark.parametrize("day", [None, LONG_AGO, LATER])
async def test_of_each_day_one_version_at_most_is_in_force(world: World, day: str | None) -> None:
    """The list answers which version an act of a day used, and why not the others."""
    await world.bring_into_force(1, 2, 3)
    listed = (await world.ask(**({"day": day} if day else {})))["items"]
    in_force = [each for each in listed if each["standing"] == "IN_FORCE"]
    others = {each["standing"] for each in listed if each not in in_force}
    assert others <= {"REPLACED", "COMING"}
    assert len(in_force) == (0 if day == LONG_AGO and world.room.role is Role.LENDER else 1)
    if day == LATER:
        assert in_force[0]["version"] == world.room.name(3)
        assert in_force[0]["decided_by"]


@pytest.mark.dialect
async def test_of_two_uploads_at_once_no_number_is_given_twice(world: World) -> None:
    """One of them is the version; the other is told so, or finds the same."""
    answers = await asyncio.gather(*(world.upload(1) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert [each["version"] for each in await world.uploaded()] == [world.room.name(1)]
    different = await asyncio.gather(world.upload(2), world.upload(3))
    assert {answer.status_code for answer in different} <= {200, 201}
    assert len({each["version"] for each in await world.uploaded()}) == 3


async def test_a_version_that_is_not_there_is_not_found(world: World) -> None:
    await world.bring_into_force(1)
    await world.ask("/9", 404)
    assert (await world.upload(1)).status_code in (200, 409)
    assert len(await world.uploaded()) == 1
