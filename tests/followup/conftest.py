"""followup as it runs: its app over HTTP, and its handlers fed with the events of the other services."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from services.followup.app import create_app
from services.followup.promises.jobs import judge_due_promises
from services.followup.settings import FollowupSettings
from services.followup.worker import SERVICE
from shared import keys, migrations
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.bus.transport import Partition, Record
from shared.events.cases import TOPIC as CASES
from shared.events.cases import PaymentReceived
from shared.events.envelope import ActorRef, Envelope, Event
from shared.events.values import Amount, Instalment
from shared.events.visits import TOPIC as VISITS
from shared.events.visits import PromiseTerms, VisitCompleted
from shared.ids import new_id
from shared.runtime import Runtime

LENDER = "lender-1"
ZONE = "Asia/Taipei"
MONDAY = date(2026, 3, 2)


def noon(day: date) -> datetime:
    """Noon in Taipei."""
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def promised(
    case_id: UUID, *instalments: tuple[date, str], day: date = MONDAY, promise_id: UUID | None = None, zone: str = ZONE
) -> VisitCompleted:
    """A visit of a day, at noon in Taipei, on which so much was promised until such days."""
    terms = [Instalment(due_on=due, amount=Amount(amount=amount, currency="TWD")) for due, amount in instalments]
    return VisitCompleted(
        case_id=case_id,
        visit_id=new_id(),
        team_id=new_id(),
        collector_ids=[new_id(), new_id()],
        purpose="DEMAND",
        started_at=noon(day),
        ended_at=noon(day),
        disposition="PROMISE_TO_PAY" if terms else "NO_ANSWER",
        person_met="DEBTOR",
        contact=True,
        promise=PromiseTerms(promise_id=promise_id or new_id(), instalments=terms) if terms else None,
        evidence=[],
        decision_id=new_id(),
        record_incomplete=False,
        missing=[],
        time_zone=zone,
    )


def paid(
    case_id: UUID, amount: str, day: date, *, currency: str = "TWD", payment_id: UUID | None = None, **fields: Any
) -> PaymentReceived:
    money = Amount(amount=amount, currency=currency)
    return PaymentReceived(case_id=case_id, payment_id=payment_id or new_id(), amount=money, received_on=day, **fields)


class System:
    """A followup with a simulated clock that the test sets."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client
        self.consumer = runtime.consumer()
        self._offset = 0

    async def hear(self, *events: Event, lender_id: str = LENDER) -> None:
        """Events arrive as one batch of the bus."""
        await self.consumer.handle_batch([self._record(event, lender_id) for event in events])

    def _record(self, event: Event, lender_id: str) -> Record:
        self._offset += 1
        envelope = Envelope(
            event_id=new_id(),
            source="/visits" if event.topic == VISITS else "/cases",
            type=event.type,
            occurred_at=noon(MONDAY),
            subject=event.case_id,
            partition_key=event.case_id,
            sequence=1,
            actor=ActorRef("collector", "c-1"),
            correlation_id="thread-1",
            lender_id=lender_id,
        )
        place = Partition(VISITS if event.topic == VISITS else CASES, 0)
        return Record(
            place,
            self._offset,
            str(event.case_id),
            envelope.headers(),
            event.model_dump_json(exclude_none=True).encode(),
        )

    async def at(self, now: datetime) -> int:
        """The clock shows this time, and the timer runs until nothing is due. Returns how many were judged."""
        clock = SERVICE.tables.clock.clock
        async with self.runtime.database.transaction() as tx:
            await tx.session.execute(update(clock).values(now=now))
        judged = 0
        while done := await judge_due_promises(self.runtime):
            judged += done
        return judged

    async def published(self) -> list[tuple[str, dict[str, str], bytes]]:
        """What followup published, in order: short type, headers, payload."""
        outbox = SERVICE.tables.bus.outbox
        async with self.runtime.database.reading() as tx:
            rows = (await tx.session.execute(select(outbox.c.headers, outbox.c.payload).order_by(outbox.c.seq))).all()
        found = [(json.loads(row.headers), row.payload) for row in rows]
        return [(headers["ce_type"].split(".")[2], headers, payload) for headers, payload in found]

    async def types(self) -> list[str]:
        return [kind for kind, _, _ in await self.published()]

    async def get(self, path: str, *roles: Role, **claims: Any) -> Any:
        reply = await self.client.get(f"/followup/v1{path}", headers=self.bearer(*roles, **claims))
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def totals(self) -> Any:
        return await self.get("/promises/totals", Role.SUPERVISOR)

    def bearer(self, *roles: Role, **claims: Any) -> dict[str, str]:
        key = keys.private_key(None, settings=self.runtime.settings, name="issuer")
        token = issue_token(
            key,
            key_id=keys.key_id(key.public_key()),
            issuer=DEVELOPMENT_ISSUER,
            audience="doorstep",
            subject="somebody",
            roles=roles or (Role.SUPERVISOR,),
            seconds=600,
            **claims,
        )
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def running(settings: FollowupSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    app = create_app(runtime)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://doorstep") as client:
            yield System(runtime, client)


def migrated(settings: FollowupSettings) -> FollowupSettings:
    migrations.upgrade(SERVICE.migrations, settings.database_url_of("followup"))
    return settings


@pytest.fixture
def on_postgresql(fresh_database: Callable[[], str], tmp_path: Path) -> FollowupSettings:
    return migrated(FollowupSettings(data_dir=tmp_path, clock=noon(MONDAY), database_url=fresh_database()))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> FollowupSettings:
    if request.param == "postgresql":
        return request.getfixturevalue("on_postgresql")
    return migrated(FollowupSettings(data_dir=tmp_path, clock=noon(MONDAY)))


@pytest.fixture
async def system(settings: FollowupSettings) -> AsyncIterator[System]:
    async with running(settings) as running_system:
        yield running_system


def conserved(totals: Any) -> bool:
    """The two sums that must hold whatever happened."""
    counts = totals["promises"]
    return counts["made"] == sum(count for name, count in counts.items() if name != "made") and all(
        float(money["received"]) == float(money["applied_to_promises"]) + float(money["unapplied"])
        for money in totals["money"].values()
    )


def ids(items: Sequence[Any]) -> list[str]:
    return [item["id"] for item in items]
