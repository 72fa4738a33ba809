"""visits as it runs: its app over HTTP, and its handlers fed with the events of the other services."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from services.visits.app import create_app
from services.visits.caseload import usecases as caseload
from services.visits.settings import VisitsSettings
from services.visits.visit.usecases import PlannedStop, plan_visit
from services.visits.worker import SERVICE
from shared import keys, migrations
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.bus.transport import Partition, Record
from shared.events import cases
from shared.events.envelope import ActorRef, Envelope, Event
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime

LENDER = "lender-1"
MONDAY = date(2026, 3, 2)
DIGEST = "5a" * 32


def taipei(day: date, hour: int, minute: int = 0) -> datetime:
    """A time by Taipei's clock."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


class System:
    """A visits with a simulated clock: it is ten on Monday, in Taipei."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client
        self._offset = 0

    async def hear(self, *events: Event, lender_id: str | None = LENDER) -> None:
        """Events arrive as one batch of the bus."""
        await self.runtime.consumer().handle_batch([self._record(event, lender_id) for event in events])

    def _record(self, event: Any, lender_id: str | None) -> Record:
        self._offset += 1
        envelope = Envelope(
            event_id=new_id(),
            source="/cases",
            type=event.type,
            occurred_at=taipei(MONDAY, 9),
            subject=event.case_id,
            partition_key=event.case_id,
            sequence=self._offset,
            actor=ActorRef("supervisor", "s-1"),
            correlation_id="thread-1",
            lender_id=lender_id,
        )
        value = event.model_dump_json(exclude_none=True).encode()
        return Record(Partition(event.topic, 0), self._offset, str(event.case_id), envelope.headers(), value)

    async def case(self, *, verified: bool = True, hazard: bool = False, **facts: Any) -> UUID:
        """A case of which all is known that the law asks for."""
        sound = {
            "case_id": new_id(),
            "debtor_id": new_id(),
            "lender_id": LENDER,
            "placement_id": new_id(),
            "jurisdiction": "tw",
            "country": "TW",
            "time_zone": "Asia/Taipei",
            "product": "CREDIT_CARD",
            "balance": Amount(amount="250000", currency="TWD"),
            "days_past_due": 60,
            "bucket": "M2",
            "accounts": 1,
            "prior_notice_at": taipei(date(2026, 2, 10), 10),
        }
        opened = cases.CaseOpened(**(sound | facts))
        case_id = opened.case_id
        checked = cases.AddressVerified(case_id=case_id, address_id=new_id(), verified=verified, hazard=hazard)
        referred = cases.CaseReferred(case_id=case_id, referral_id=new_id(), rule_id="large", inputs={})
        await self.hear(opened, checked, referred)
        return case_id

    async def team(self) -> tuple[UUID, list[UUID]]:
        """Two collectors who may be sent."""
        ids = []
        for _ in range(2):
            sound = {
                "name": "王大明",
                "status": "ACTIVE",
                "certificates": [{"code": "FIELD-COLLECTION", "valid_from": "2025-06-01", "valid_until": "2027-06-01"}],
                "violent_crime_record": False,
                "bad_credit": False,
                "confidentiality_agreement": True,
                "last_assessed_on": "2025-11-01",
                "experience_recorded": True,
            }
            ids.append(UUID((await self.post("/collectors", sound, 201))["id"]))
        body = {"name": "Team", "collector_ids": [str(each) for each in ids]}
        return UUID((await self.post("/teams", body, 201))["id"]), ids

    async def visit(self, case_id: UUID, team: tuple[UUID, list[UUID]], *, hour: int = 10, day: date = MONDAY) -> UUID:
        """A planned visit, as the planner writes it."""
        start = taipei(day, hour)
        stop = PlannedStop(team[0], team[1], 0, start, start + timedelta(minutes=20), (25.03, 121.56))
        async with self.runtime.database.transaction(now=taipei(MONDAY, 9)) as tx:
            case = (await caseload.lock_all(tx, [case_id]))[case_id]
            visit, secret = plan_visit(tx, case, stop, plan_id=new_id(), master=self.runtime.master)
            tx.session.add(visit)
            await tx.session.flush()
            tx.session.add(secret)
        return visit.id

    async def at(self, now: datetime) -> None:
        """The clock shows this time."""
        async with self.runtime.database.transaction() as tx:
            await tx.session.execute(update(SERVICE.tables.clock.clock).values(now=now))

    async def get(self, path: str, expect: int = 200, role: Role = Role.SUPERVISOR, **query: Any) -> Any:
        answer = await self.client.get(f"/visits/v1{path}", headers=self.bearer(role), params=query)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, expect: int = 200, role: Role = Role.SUPERVISOR) -> Any:
        answer = await self.client.post(f"/visits/v1{path}", json=body, headers=self.bearer(role))
        assert answer.status_code == expect, answer.text
        return answer.json()

    def bearer(self, role: Role, subject: str = "somebody") -> dict[str, str]:
        key = keys.private_key(None, settings=self.runtime.settings, name="issuer")
        token = issue_token(
            key,
            key_id=keys.key_id(key.public_key()),
            issuer=DEVELOPMENT_ISSUER,
            audience="doorstep",
            subject=subject,
            roles=[role],
            seconds=600,
        )
        return {"Authorization": f"Bearer {token}"}

    async def published(self) -> list[str]:
        """The short types of what visits published, in order."""
        outbox = SERVICE.tables.bus.outbox
        async with self.runtime.database.reading() as tx:
            headers = (await tx.session.scalars(outbox.select().with_only_columns(outbox.c.headers))).all()
        return [line.split('"ce_type": "')[1].split(".")[2] for line in headers]


@asynccontextmanager
async def running(settings: VisitsSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    app = create_app(runtime)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://doorstep") as client:
            yield System(runtime, client)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> VisitsSettings:
    options: dict[str, Any] = {"data_dir": tmp_path, "clock": taipei(MONDAY, 10)}
    if request.param == "postgresql":
        create: Callable[[], str] = request.getfixturevalue("fresh_database")
        options["database_url"] = create()
    found = VisitsSettings(**options)
    migrations.upgrade(SERVICE.migrations, found.database_url_of("visits"))
    return found


@pytest.fixture
async def system(settings: VisitsSettings) -> AsyncIterator[System]:
    async with running(settings) as running_system:
        yield running_system
