"""A trail without a bus: records go straight to its sequencer, and checkpoints come out when a test says so."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import date

from sqlalchemy import select, update

from services.audit.attestations.sequencing import attested
from services.audit.attestations.tables import CHECKPOINT
from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope
from shared.events.values import Amount
from shared.ids import new_id
from shared.runtime import Runtime
from tests.databases import migrated

PLACE = Partition(TOPIC, 0)
LOG = "lender-1"
ORIGIN = f"doorstep/{LOG}"


def record(offset):
    """A payment, as it comes from the bus."""
    case_id = new_id()
    amount = Amount(amount="1250.00", currency="TWD")
    event = PaymentReceived(case_id=case_id, payment_id=new_id(), amount=amount, received_on=date(2026, 3, 2))
    envelope = Envelope(
        event_id=new_id(),
        source="/cases",
        type=event.type,
        occurred_at=system_now(),
        subject=case_id,
        partition_key=case_id,
        sequence=1,
        actor=SYSTEM,
        correlation_id="c",
        lender_id=LOG,
    )
    return Record(PLACE, offset, str(case_id), envelope.headers(), event.model_dump_json().encode())


def put(db, records):
    """Records on the embedded bus, at the very offsets that they name."""
    rows = [(*each.partition, each.offset, each.key, json.dumps(dict(each.headers)), each.value) for each in records]
    db.executemany("INSERT OR IGNORE INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)


class Trail:
    def __init__(self, runtime, sequencer, publisher):
        self.runtime = runtime
        self.sequencer = sequencer
        self.publisher = publisher
        self.offset = 0

    async def grow(self, count):
        """So many entries more in the log; committed. Their records are on the bus."""
        records = [record(self.offset + n) for n in range(count)]
        self.offset += count
        await self.runtime.transport.run(put, records, write=True)
        assert await self.sequencer.append({PLACE: records}) == count

    async def publish(self):
        return await self.publisher.publish_once()

    async def checkpoints(self):
        """Sizes and notes that are published, the smallest first."""
        async with self.runtime.database.reading() as tx:
            rows = await tx.session.execute(select(CHECKPOINT.c.size, CHECKPOINT.c.note).order_by(CHECKPOINT.c.size))
            return [(row.size, row.note) for row in rows]


@asynccontextmanager
async def trail_on(folder, **settings):
    """An audit on a database of its own, its tables made by its migrations, this process its sequencer."""
    settings = await asyncio.to_thread(migrated, AuditSettings(data_dir=folder, **settings), SERVICE)
    runtime = Runtime(SERVICE, settings)
    await runtime.start()
    both = attested(runtime)
    try:
        assert await both.sequencer._lease.holds()
        yield Trail(runtime, both.sequencer, both.publisher)
    finally:
        await both.publisher.close()
        await free_lease(runtime)
        await runtime.close()


async def free_lease(runtime):
    """The next process need not wait until it has run out."""
    async with runtime.database.transaction() as tx:
        await tx.session.execute(update(SERVICE.tables.bus.lease).values(expires_at_seconds=0))
