"""A trail to export from, made by audit's own worker out of events on a real bus: one debtor with two cases, another
lender's case, people who read; and tools to take exports apart and put them together again."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy import func, select

from services.audit.attestations.checkpoints import signer_of
from services.audit.attestations.tables import CHECKPOINT
from services.audit.export import domain, queries, usecases
from services.audit.export.package import Package
from services.audit.export.schemas import ExportView
from services.audit.export.writing import write_export
from services.audit.settings import AuditSettings
from services.audit.trail.tables import ENTRY
from services.audit.worker import SERVICE, create_worker
from shared.bus.transport import Message
from shared.database import Context
from shared.events import cases
from shared.events.envelope import ActorRef, Envelope, Event
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime
from tests.databases import migrated

LENDER, OTHER = "lender-1", "lender-2"
CASE, SECOND, FOREIGN, DEBTOR, VISIT = (UUID(f"01990000-0000-7000-8000-00000000000{n}") for n in range(1, 6))
OFFICER = ActorRef("compliance", "officer-1")
PATIENCE_SECONDS = 30


def message(event: Event, version: int, *, subject: UUID, lender: str | None = LENDER) -> Message:
    envelope = Envelope(
        event_id=new_id(),
        source="/cases",
        type=event.type,
        occurred_at=datetime(2026, 3, 2, 1, version % 60, tzinfo=UTC),
        subject=subject,
        partition_key=subject,
        sequence=version,
        actor=OFFICER,
        correlation_id=str(new_id()),
        lender_id=lender,
        retention="us-retain" if version % 2 else None,  # every other event is one of an older release
    )
    value = event.model_dump_json(exclude_none=True).encode()
    return Message(event.topic, str(subject), envelope.headers(), value)


def opened(case: UUID, debtor: UUID, lender: str = LENDER) -> Message:
    event = cases.CaseOpened(
        case_id=case,
        debtor_id=debtor,
        lender_id=lender,
        placement_id=new_id(),
        jurisdiction="tw",
        country="TW",
        time_zone="Asia/Taipei",
        product="CREDIT_CARD",
        balance=Amount(amount="250000", currency="TWD"),
        days_past_due=60,
        bucket="M2",
        accounts=1,
    )
    return message(event, 1, subject=case, lender=lender)


def paid(case: UUID, version: int, lender: str = LENDER) -> Message:
    amount = Amount(amount=str(1000 + version), currency="TWD")
    event = cases.PaymentReceived(case_id=case, payment_id=new_id(), amount=amount, received_on=date(2026, 3, 2))
    return message(event, version, subject=case, lender=lender)


def read(*case_ids: UUID) -> Message:
    return message(cases.DossierRead(case_ids=list(case_ids), reason="VISIT"), 1, subject=new_id(), lender=None)


def first_events(payments: int) -> list[Message]:
    """Two cases of a debtor and a foreign one, with payments for each; two readings."""
    events = [opened(CASE, DEBTOR), opened(SECOND, DEBTOR), opened(FOREIGN, new_id(), OTHER)]
    for version in range(2, payments + 2):
        events += [paid(CASE, version), paid(SECOND, version), paid(FOREIGN, version, OTHER)]
    return [*events, read(CASE, FOREIGN), read(CASE)]


@dataclass(slots=True)
class Trail:
    """A trail under way."""

    runtime: Runtime

    @property
    def settings(self) -> AuditSettings:
        return AuditSettings.of(self.runtime.settings)

    @property
    def vkey(self) -> str:
        return signer_of(self.settings).verifier.vkey

    async def take(self, *messages: Message) -> None:
        """Put events on the bus and wait until all of them are signed for."""
        await self.runtime.transport.append(messages)
        ids = [each.headers["ce_id"] for each in messages]
        signed = select(func.max(CHECKPOINT.c.size)).where(CHECKPOINT.c.log_id == ENTRY.c.log_id).scalar_subquery()
        taken = select(func.count()).where(ENTRY.c.event_id.in_(ids), ENTRY.c.idx < signed)
        for _ in range(PATIENCE_SECONDS * 50):
            await asyncio.sleep(0.02)
            async with self.runtime.database.reading() as tx:
                if await tx.session.scalar(taken) == len(ids):
                    return
        raise AssertionError(f"the trail did not take {len(messages)} events")

    async def order(self, question: domain.Question) -> ExportView:
        """As the route does it; the worker makes the file."""
        async with self.runtime.database.transaction(Context(actor=OFFICER)) as tx:
            return await usecases.order_export(tx, question, None, correlation_id="order-1")

    async def export(self, question: domain.Question, as_of: Mapping[str, int] | None = None) -> bytes:
        async with self.runtime.database.reading() as tx:
            plan = await queries.plan(tx, question, as_of)
        file = io.BytesIO()
        await write_export(self.runtime.database, plan, file, self.settings)
        return file.getvalue()


@asynccontextmanager
async def growing_trail(settings: AuditSettings) -> AsyncIterator[Trail]:
    """The worker of audit over an embedded bus."""
    runtime = Runtime(SERVICE, await asyncio.to_thread(migrated, settings, SERVICE))
    await runtime.start()
    stop = asyncio.Event()
    working = asyncio.create_task(create_worker(runtime).run(stop))
    try:
        yield Trail(runtime)
    finally:
        stop.set()
        await working
        await runtime.close()


Change = Callable[[dict[str, bytes]], None]


def members(export: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def signed_anew(export: bytes, settings: AuditSettings, change: Change) -> bytes:
    """The export as whoever holds the key could forge it: changed, then listed and signed again without a flaw."""
    files = members(export)
    document = json.loads(files["manifest.json"])
    del files["manifest.note"]
    change(files)
    document = json.loads(files.pop("manifest.json")) if files.get("manifest.json") else document
    file = io.BytesIO()
    package = Package(file)
    for path, data in files.items():
        package.add(path, data)
    package.close(document, signer_of(settings))
    return file.getvalue()
