"""For each kind of job a world in which one job waits. It is made once, in a folder; a test works on a copy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.audit.export import usecases as exports
from services.audit.export.domain import ExportStatus, Subject
from services.audit.export.jobs import EXPORTS
from services.audit.settings import AuditSettings
from services.audit.verification import jobs as verification
from services.audit.verification.domain import Verification
from services.audit.verification.tables import VERIFICATION
from services.cases.placements.jobs import PLACEMENTS
from services.cases.settings import CasesSettings
from services.embedded import PARTS
from services.visits.building.jobs import PLANS
from services.visits.settings import VisitsSettings
from shared.auth import Role
from shared.database import Context
from shared.ids import new_id
from shared.jobs import JobKind
from shared.runtime import Runtime
from tests.actors.samples import file_of, row
from tests.audit.exports import CASE, OFFICER, first_events, growing_trail
from tests.cases.conftest import NOON
from tests.cases.conftest import System as Cases
from tests.databases import migrated
from tests.one_service import OneService, client_of
from tests.visits.conftest import MONDAY, taipei
from tests.visits.conftest import System as Visits
from tests.visits.plans.planning import plan_here


@dataclass(frozen=True, slots=True)
class World:
    """A kind of job; who may cancel it; how its world is made; what its room says of a job that ended."""

    kind: JobKind
    service: str
    role: Role
    settings: Callable[[Path], Any]
    ask: Callable[[Path], Awaitable[UUID]]
    said: Callable[["House", UUID], Awaitable[Any]]
    done: Any
    failed: str
    cancelled: str | None

    def make(self, folder: Path) -> UUID:
        """Make the world. Returns the job that waits."""
        migrated(self.settings(folder), PARTS[self.service].service)
        return asyncio.run(self.ask(folder))

    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator["House"]:
        part = PARTS[self.service]
        runtime = Runtime(part.service, self.settings(folder))
        async with client_of(part.create_app(runtime)) as client:
            yield House(runtime, client)


class House(OneService):
    """The service of a world."""

    @property
    def jobs(self) -> Any:
        return self.runtime.service.tables.jobs

    async def job(self, job_id: UUID) -> Any:
        async with self.runtime.database.reading() as tx:
            return await self.jobs.get(tx, job_id)


async def _ask_placement(folder: Path) -> UUID:
    async with BY_KIND["placements"].open(folder) as house:
        system = Cases(house.runtime, house.client)
        await system.place("A-1")
        content = file_of(row("B-1"), row("B-2", name="李"), row("B-2", name="李"), row("B-3", name="陳"))
        return UUID((await system.push(content)).json()["id"])


async def _said_of_placement(house: House, job_id: UUID) -> Any:
    placement = await house.get(f"/placements/{job_id}")
    if placement["status"] != "DONE":
        return placement["status"], placement["problem"]
    errors = (await house.get(f"/placements/{job_id}/errors"))["items"]
    opened = (await house.types()).count("case-opened")
    return placement["accepted"], [(each["line"], each["code"]) for each in errors], opened


async def _ask_plan(folder: Path) -> UUID:
    async with BY_KIND["plans"].open(folder) as house:
        system = Visits(house.runtime, house.client)
        await system.team()
        for _ in range(2):
            await system.case()
        body = {"day": str(MONDAY), "iterations": 1, "publish": True}
        return UUID((await system.post("/day-plans", body, 202))["id"])


async def _said_of_plan(house: House, job_id: UUID) -> Any:
    plan = await house.get(f"/day-plans/{job_id}")
    if plan["status"] != "PUBLISHED":
        return plan["status"], plan["problem"]
    return plan["visits"], (await house.types()).count("day-plan-published")


async def _ask_export(folder: Path) -> UUID:
    async with growing_trail(AuditSettings(data_dir=folder)) as trail:
        await trail.take(*first_events(payments=1))
    officer = Context(actor=OFFICER)
    async with BY_KIND["exports"].open(folder) as house, house.runtime.database.transaction(officer) as tx:
        return (await exports.order_export(tx, Subject("case", CASE), None, correlation_id="thread")).id


async def _said_of_export(house: House, job_id: UUID) -> Any:
    export = await house.get(f"/exports/{job_id}", role=Role.COMPLIANCE)
    if export["status"] != ExportStatus.READY:
        return export["status"], export["problem"]
    return export["entries"], (await house.types()).count("export-created")


async def _ask_verification(folder: Path) -> UUID:
    async with BY_KIND["verification"].open(folder) as house:
        job_id = new_id()
        async with house.runtime.database.transaction() as tx:
            await house.jobs.ask(tx, "verification", job_id)
        return job_id


async def _said_of_verification(house: House, _job_id: UUID) -> Any:
    async with house.runtime.database.reading() as tx:
        found = (await tx.session.execute(select(VERIFICATION.c.ok, VERIFICATION.c.found))).all()
    return [row.ok for row in found] if not found or found[0].ok else ("FAILED", found[0].found)


async def _nothing_wrong(_settings: AuditSettings) -> Verification:
    return Verification([])


def patch(monkeypatch: Any) -> None:
    """Plan and verify in this process."""
    plan_here(monkeypatch)
    monkeypatch.setattr(verification, "_verified", _nothing_wrong)


WORLDS = (
    World(
        PLACEMENTS,
        "cases",
        Role.LENDER,
        lambda folder: CasesSettings(data_dir=folder, clock=NOON, placement_batch_rows=2),
        _ask_placement,
        _said_of_placement,
        done=(3, [(4, "duplicate-in-file")], 4),
        failed="REFUSED",
        cancelled="REFUSED",
    ),
    World(
        PLANS,
        "visits",
        Role.SUPERVISOR,
        lambda folder: VisitsSettings(data_dir=folder, clock=taipei(MONDAY, 10)),
        _ask_plan,
        _said_of_plan,
        done=(2, 1),
        failed="FAILED",
        cancelled="CANCELLED",
    ),
    World(
        EXPORTS,
        "audit",
        Role.COMPLIANCE,
        lambda folder: AuditSettings(data_dir=folder),
        _ask_export,
        _said_of_export,
        done=(4, 1),
        failed="FAILED",
        cancelled="FAILED",
    ),
    World(
        verification.VERIFICATIONS,
        "audit",
        Role.COMPLIANCE,
        lambda folder: AuditSettings(data_dir=folder),
        _ask_verification,
        _said_of_verification,
        done=[True],
        failed="FAILED",
        cancelled=None,
    ),
)
BY_KIND = {world.kind.name: world for world in WORLDS}
