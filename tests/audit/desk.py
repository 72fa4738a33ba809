"""An officer's desk for tests: audit as it runs, with its own relay and sequencer, on a bus and a database of its own.
Events come over the bus; the desk is asked over HTTP."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from services.audit.app import create_app
from services.audit.attestations.sequencing import attested
from services.audit.settings import AuditSettings
from services.audit.trail.sequencer import positions
from services.audit.worker import SERVICE
from shared.auth import Role
from shared.bus.relay import Relay
from shared.bus.transport import Message, Subscription
from shared.events.cases import CaseHeld, CaseOpened, CaseReferred, PaymentReceived
from shared.events.envelope import ActorRef, Envelope, Event
from shared.events.registry import TOPICS
from shared.events.values import Amount
from shared.events.visits import GateDecided, VisitCompleted
from shared.ids import new_id
from shared.runtime import Runtime
from tests.one_service import LENDER, bearer, client_of

SUPERVISOR = ActorRef("supervisor", "s-1")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # in Taipei
MONEY = Amount(amount="1250.00", currency="TWD")


class Desk:
    """`hear` puts an event on the bus; `settle` lets everything that is under way reach the trail."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient, subscription: Subscription) -> None:
        self.runtime = runtime
        self.client = client
        both = attested(runtime)
        self.sequencer, self.publisher = both.sequencer, both.publisher
        self.relay = Relay(runtime.database, runtime.service.tables.bus, runtime.transport, wake=runtime.events_waiting)
        self._subscription = subscription
        self._versions: dict[UUID, int] = {}
        self._minutes = itertools.count()

    async def hear(
        self, event: Event, *, subject: UUID, lender: str | None = LENDER, lost: bool = False, **more: Any
    ) -> UUID:
        """An event of its aggregate's next version, a minute after the one before. A `lost` one is counted by its
        service and never comes."""
        self._versions[subject] = version = more.pop("version", self._versions.get(subject, 0) + 1)
        envelope = Envelope(
            event_id=new_id(),
            source=f"/{TOPICS[event.topic].owner}",
            type=event.type,
            occurred_at=more.pop("at", NOON + timedelta(minutes=next(self._minutes))),
            subject=subject,
            partition_key=subject,
            sequence=version,
            actor=more.pop("actor", SUPERVISOR),
            correlation_id=more.pop("correlation", "thread-1"),
            lender_id=lender,
        )
        payload = event.model_dump_json(exclude_none=True).encode()
        if not lost:
            message = Message(event.topic, str(subject), envelope.headers(), payload)
            await self.runtime.transport.append([message])
        return envelope.event_id

    async def take(self) -> None:
        """Everything that was published is an entry, signed or not."""
        while await self.relay.relay_once() or await self._lag():
            await self.sequencer._place(self._subscription)
            await self.sequencer.sequence_once(self._subscription, 0.05)

    async def settle(self) -> None:
        await self.take()
        await self.publisher.publish_once()

    async def _lag(self) -> int:
        async with self.runtime.database.reading() as tx:
            reached = await positions(tx)
        ends = await self.runtime.transport.ends(sorted(TOPICS))
        return sum(end - reached.get(place, 0) for place, end in ends.items())

    async def ask(self, path: str, role: Role = Role.COMPLIANCE, expect: int = 200, **query: Any) -> httpx.Response:
        answer = await self.client.get(f"/audit/v1{path}", params=query, headers=self.bearer(role))
        assert answer.status_code == expect, f"{path}: {answer.status_code} {answer.text}"
        return answer

    async def get(self, path: str, expect: int = 200, **query: Any) -> Any:
        return (await self.ask(path, expect=expect, **query)).json()

    async def accesses(self) -> list[dict[str, Any]]:
        """What the log `access` holds, leaf by leaf."""
        await self.settle()
        return [item["leaf"] for item in (await self.get("/entries", log="access", limit=200))["items"]]

    def bearer(self, role: Role) -> dict[str, str]:
        return bearer(self.runtime, role, subject="officer-1")


@asynccontextmanager
async def running_desk(settings: AuditSettings) -> AsyncIterator[Desk]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        subscription = await runtime.transport.subscribe("audit", sorted(TOPICS))
        desk = Desk(runtime, client, subscription)
        assert await desk.relay._lease.holds()
        assert await desk.sequencer._lease.holds()
        yield desk
        await subscription.close()


def opened(case_id: UUID, debtor_id: UUID, lender: str = LENDER) -> CaseOpened:
    return CaseOpened(
        case_id=case_id,
        debtor_id=debtor_id,
        lender_id=lender,
        placement_id=new_id(),
        jurisdiction="tw",
        country="TW",
        time_zone="Asia/Taipei",
        product="CREDIT_CARD",
        balance=MONEY,
        days_past_due=60,
        bucket="M2",
        accounts=1,
    )


def referred(case_id: UUID) -> CaseReferred:
    return CaseReferred(case_id=case_id, referral_id=new_id(), rule_id="large-balance", inputs={"balance_minor": 1})


def held(case_id: UUID) -> CaseHeld:
    return CaseHeld(
        case_id=case_id, hold_id=new_id(), reason="COMPLAINT_PENDING", scope="all", review_on=date(2026, 4, 1)
    )


def paid(case_id: UUID) -> PaymentReceived:
    return PaymentReceived(case_id=case_id, payment_id=new_id(), amount=MONEY, received_on=date(2026, 3, 2))


def decided(case_id: UUID, verdict: str = "block", rule: str = "tw-hours") -> GateDecided:
    return GateDecided(
        case_id=case_id,
        decision_id=new_id(),
        step="DISPATCH",
        verdict=verdict,
        deciding=[rule],
        rules={rule: verdict},
        packs={"tw": "1"},
        decision_digest="5a" * 32,
    )


def completed(case_id: UUID, collector_id: UUID, disposition: str = "PROMISE_TO_PAY") -> VisitCompleted:
    return VisitCompleted(
        case_id=case_id,
        visit_id=new_id(),
        team_id=new_id(),
        collector_ids=[collector_id],
        purpose="DEMAND",
        started_at=NOON,
        ended_at=NOON,
        disposition=disposition,
        person_met="DEBTOR",
        contact=True,
        evidence=[],
        decision_id=new_id(),
        record_incomplete=False,
        missing=[],
        time_zone="Asia/Taipei",
    )
