"""A trail without a bus: records come from memory, on each of the two databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from services.audit.attestations.checkpoints import verifier_of
from services.audit.attestations.publisher import Publisher
from services.audit.attestations.sequencing import attested
from services.audit.settings import AuditSettings
from services.audit.tlog.leaf import Leaf, decode
from services.audit.trail.sequencer import Sequencer
from services.audit.trail.tables import ENTRY
from services.audit.verification.domain import Verification
from services.audit.verification.verify import verify
from services.audit.worker import SERVICE
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope, Event
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime
from tests.audit import desk as desks
from tests.databases import database, migrated

PLACE = Partition(TOPIC, 0)


def payment(case_id: UUID) -> PaymentReceived:
    amount = Amount(amount="1250.00", currency="TWD")
    return PaymentReceived(case_id=case_id, payment_id=new_id(), amount=amount, received_on=date(2026, 3, 2))


@dataclass
class Tape:
    """Makes records of a partition, at the offsets that come next."""

    place: Partition = PLACE
    offsets: Any = field(default_factory=count)

    def record(self, event: Event, *, subject: UUID | None = None, version: int = 1, **changes: Any) -> Record:
        """The record of an event; a change named ce_… replaces a header, None takes it away; `value` the bytes."""
        key = subject or new_id()
        envelope = Envelope(
            event_id=new_id(),
            source="/cases",
            type=event.type,
            occurred_at=system_now(),
            subject=key,
            partition_key=key,
            sequence=version,
            actor=SYSTEM,
            correlation_id=str(new_id()),
            lender_id=changes.pop("lender", "bank-a"),
        )
        value = changes.pop("value", event.model_dump_json().encode())
        headers = {name: text for name, text in (envelope.headers() | changes).items() if text is not None}
        return Record(self.place, next(self.offsets), str(key), headers, value)

    def payment(self, case_id: UUID | None = None, **more: Any) -> Record:
        case_id = case_id or new_id()
        return self.record(payment(case_id), subject=case_id, **more)


@dataclass
class Trail:
    """A sequencer that holds the lease, and the means to look at what it did."""

    runtime: Runtime
    settings: AuditSettings
    sequencer: Sequencer
    publisher: Publisher

    async def take(self, *records: Record) -> int:
        batches: dict[Partition, list[Record]] = {}
        for record in records:
            batches.setdefault(record.partition, []).append(record)
        return await self.sequencer.append(batches)

    async def leaves(self, log: str) -> list[Leaf]:
        async with self.runtime.database.reading() as tx:
            rows = await tx.session.scalars(select(ENTRY.c.leaf).where(ENTRY.c.log_id == log).order_by(ENTRY.c.idx))
            return [decode(leaf) for leaf in rows]

    async def verified(self) -> Verification:
        """Publish what is to be published, and verify all of it."""
        await self.publisher.publish_once()
        url = self.settings.database_url_of("audit")
        return await verify(url, verifiers=[verifier_of(self.settings)], origin=self.settings.trail_origin)


class NoBus:
    async def start(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str | None:
    """The URL of a new database; None stands for SQLite in the data folder."""
    return database(request, SERVICE).get("database_url")


@asynccontextmanager
async def opened(settings: AuditSettings):
    runtime = Runtime(SERVICE, settings, NoBus())
    await runtime.start()
    both = attested(runtime)
    assert await both.sequencer._lease.holds()
    try:
        yield Trail(runtime, settings, both.sequencer, both.publisher)
    finally:
        await runtime.close()


@pytest.fixture
def settings(database_url: str | None, tmp_path) -> AuditSettings:
    return migrated(AuditSettings(data_dir=tmp_path, database_url=database_url), SERVICE)


@pytest.fixture
async def trail(settings: AuditSettings):
    async with opened(settings) as made:
        yield made


@pytest.fixture
async def desk(settings: AuditSettings) -> AsyncIterator[desks.Desk]:
    async with desks.running_desk(settings) as running:
        yield running


@pytest.fixture
async def case(desk: desks.Desk) -> dict[str, Any]:
    """A case with seven entries in its lender's log, beside another lender's case."""
    case_id, debtor_id, collector_id, gate, visit = (new_id() for _ in range(5))
    for event, subject in (
        (desks.opened(case_id, debtor_id), case_id),
        (desks.referred(case_id), case_id),
        (desks.decided(case_id), gate),
        (desks.decided(case_id, "pass", "tw-notice"), new_id()),
        (desks.completed(case_id, collector_id), visit),
        (desks.held(case_id), case_id),
        (desks.paid(case_id), case_id),
    ):
        await desk.hear(event, subject=subject, correlation="thread-2" if subject == visit else "thread-1")
        await desk.settle()
    other = new_id()
    await desk.hear(desks.opened(other, new_id(), "lender-2"), subject=other, lender="lender-2")
    await desk.settle()
    return {"case": case_id, "debtor": debtor_id, "collector": collector_id, "other": other}
