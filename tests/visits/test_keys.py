"""Keys of visits, people and plans: data of the last release open after the upgrade, and stay with their row."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from cryptography.exceptions import InvalidTag

from services.cli import keys
from services.visits.app import create_app
from services.visits.settings import VisitsSettings
from services.visits.visit.sealed import position_of
from services.visits.visit.tables import VisitRow, VisitSecretRow
from services.visits.worker import SERVICE
from shared import migrations, rotation
from shared.runtime import Runtime
from shared.sealing import Place, Sealer, SubjectKey
from shared.vault import BEFORE
from tests.one_service import client_of
from tests.visits.conftest import System
from tests.visits.plans.test_publishing import solved_plan
from tests.visits.test_unknown_fields import arrival, opened, record

BEFORE_KEYS = "0015"
ROTATIONS = 2
PATIENCE_SECONDS = 30
MOVED = {"visit", "record", "reason", "basis"}
PURPOSES = {
    "visit-position",
    "visit-statement",
    "visit-unknown-fields/check-in",
    "visit-unknown-fields/complete",
    "collector-name",
    "collector-change",
    "team-members-reason",
    "plan-places",
}


@asynccontextmanager
async def running(settings: VisitsSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        yield System(runtime, client)


class Known:
    """A completed visit, a planned one, a collector and a team that changed, and a solved plan."""

    visit: UUID
    planned: UUID
    plan: UUID
    team: tuple[UUID, list[UUID]]

    async def make(self, system: System) -> None:
        self.team = team, collectors = await system.team()
        self.visit = await system.visit(await system.case(), self.team)
        await system.post(f"/visits/{self.visit}/dispatch")
        for collector in collectors:
            await system.post(f"/visits/{self.visit}/check-in", arrival(collector, battery=80))
        await system.post(f"/visits/{self.visit}/complete", record(statement="我會還錢", mood="calm"))
        self.planned = await system.visit(await system.case(), self.team, hour=12)
        name = {"reason": "A misspelt name", "name": "李小華"}
        await system.post(f"/collectors/{collectors[0]}/correct", name)
        change = {
            "reason": "The other one leads",
            "from_day": "2026-03-03",
            "collector_ids": [*map(str, collectors[::-1])],
        }
        await system.post(f"/teams/{team}/members", change)
        self.plan = await solved_plan(system, {team: [await system.case()]})

    async def read(self, system: System) -> Any:
        """All that was sealed, as it is answered."""
        async with system.runtime.database.reading() as tx:
            places = [
                await position_of(tx, await tx.session.get_one(VisitRow, each)) for each in (self.visit, self.planned)
            ]
        await system.post(f"/visits/{self.visit}/complete", record(statement="我會還錢", mood="calm"))
        other = await system.post(f"/visits/{self.visit}/complete", record(statement="Never"), 409)
        return {
            "positions": places,
            "statement": other["differs"],
            "fields": await opened(system, self.visit),
            "people": await system.get("/collectors"),
            "changes": await system.get(f"/collectors/{self.team[1][0]}/history"),
            "members": await system.get(f"/teams/{self.team[0]}/history"),
            "routes": await system.get(f"/day-plans/{self.plan}/routes"),
        }


async def as_before(system: System) -> None:
    """Wrap each key as the last release did."""
    vault, master = system.runtime.vault, Sealer(system.runtime.digest_secret)
    t = vault.table.c
    async with system.runtime.database.transaction() as tx:
        rows = await tx.session.execute(
            sa.select(t.subject, t["class"], t.wrapped, t.kek_id).where(t["class"].in_(MOVED))
        )
        for row in rows.all():
            wrapped = master.seal(vault.unwrapped(row), "subject-key")
            await tx.session.execute(
                sa.update(vault.table)
                .where(t.subject == row[0], t["class"] == row[1])
                .values(wrapped=wrapped, kek_id=BEFORE)
            )


async def wrapped_by(system: System) -> set[tuple[str, str]]:
    found = await rotation.usage(system.runtime.database, system.runtime.vault)
    return {(each.of_class, each.key) for each in found.wrapped if each.of_class in MOVED}


@pytest.mark.dialect
async def test_data_of_the_last_release_open_rotate_and_go_back_until_keys_are_new(
    settings: VisitsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, purposes = Known(), set()

    def seal_before(key: SubjectKey, place: Place, plain: bytes) -> bytes:
        purposes.add(place.before)
        return key.before.seal(plain, place.before)

    async with running(settings) as system:
        with monkeypatch.context() as patched:
            patched.setattr(SubjectKey, "seal", seal_before)
            await known.make(system)
        assert purposes == PURPOSES
        stored = await known.read(system)
        await as_before(system)
    assert stored["positions"] == [(25.03, 121.56)] * 2
    assert stored["statement"] == ["statement"]
    assert stored["changes"]["items"][0]["new"] == {"name": "李小華"}
    config = migrations.config_of(SERVICE.migrations, settings.database_url_of("visits"))
    await asyncio.to_thread(command.downgrade, config, BEFORE_KEYS)
    await asyncio.to_thread(command.upgrade, config, "head")

    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.0)
    async with running(settings) as system:
        assert await wrapped_by(system) == {(each, BEFORE) for each in MOVED}
        assert await known.read(system) == stored
        # Two visits, two collectors, one change of members, one plan.
        assert await rotation.rewrap_all(system.runtime.database, system.runtime.vault, since=0.0) == 6
        newest = system.runtime.keyring.newest.id
        assert await wrapped_by(system) == {(each, newest) for each in MOVED}
    async with running(settings) as system:
        assert await known.read(system) == stored
    with pytest.raises(RuntimeError, match="restore a backup"):
        await asyncio.to_thread(command.downgrade, config, BEFORE_KEYS)


async def test_keys_rotate_twice_under_load_and_nothing_fails(
    settings: VisitsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOORSTEP_DATA_DIR", str(settings.data_dir))
    if settings.database_url is not None:
        monkeypatch.setenv("DOORSTEP_DATABASE_URL", settings.database_url)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(rotation, "PAGE_ROWS", 5)
    known, done, counts = Known(), asyncio.Event(), {"visits": 0, "people": 0}

    async def visit(system: System) -> None:
        while not done.is_set():
            each = await system.visit(await system.case(), known.team)
            await system.post(f"/visits/{each}/dispatch")
            for collector in known.team[1]:
                await system.post(f"/visits/{each}/check-in", arrival(collector, battery=80))
            await system.post(f"/visits/{each}/complete", record(statement="我會還錢"))
            assert (await system.post(f"/visits/{each}/complete", record(), 409))["differs"] == ["statement"]
            counts["visits"] += 1

    async def register(system: System) -> None:
        while not done.is_set():
            await system.post("/collectors", {"name": "李小華", "status": "CANDIDATE"}, 201)
            assert (await system.get("/collectors", status="ACTIVE"))["items"][0]["name"] in ("李小華", "王大明")
            counts["people"] += 1

    def rotate() -> None:
        keys.add(None, None, None, True)
        keys.rotate("visits", None, None, True)

    async with running(settings) as system:
        await known.make(system)
        stored = await known.read(system)
        await as_before(system)
        load = [asyncio.create_task(work(system)) for work in (visit, register)]
        for number in range(ROTATIONS):
            await asyncio.to_thread(rotate)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while min(counts.values()) <= number and not any(task.done() for task in load):
                    await asyncio.sleep(0.02)
        done.set()
        await asyncio.gather(*load)
        ring = system.runtime.keyring
        assert await wrapped_by(system) == {(each, ring.newest.id) for each in MOVED}
    ring.path.write_bytes(b64encode(ring.newest.key))  # a new process needs the newest key only
    async with running(settings) as system:
        read = await known.read(system)
        del read["people"], stored["people"]
        assert read == stored


async def test_a_destroyed_case_takes_its_visits_along_and_no_others(system: System) -> None:
    team = await system.team()
    gone, kept = [await system.visit(await system.case(), team, hour=hour) for hour in (10, 12)]
    async with system.runtime.database.transaction() as tx:
        visit = await tx.session.get_one(VisitRow, gone)
        assert await tx.vault.destroy(f"case/{visit.case_id.hex}") == 1
    for each, status in ((gone, 410), (kept, 200)):
        await system.post(f"/visits/{each}/dispatch")
        answer = await system.post(f"/visits/{each}/check-in", arrival(team[1][0]), status)
        assert status == 200 or answer["title"] == "erased"


async def test_sealed_bytes_of_one_visit_do_not_open_in_the_row_of_another(system: System) -> None:
    team = await system.team()
    mine, other = [await system.visit(await system.case(), team, hour=hour) for hour in (10, 12)]
    async with system.runtime.database.transaction() as tx:
        rows = [await tx.session.get_one(VisitSecretRow, each) for each in (mine, other)]
        assert rows[0].sealed_position[0] == 1
        rows[0].sealed_position = rows[1].sealed_position
    async with system.runtime.database.reading() as tx:
        with pytest.raises(InvalidTag):
            await position_of(tx, await tx.session.get_one(VisitRow, mine))
