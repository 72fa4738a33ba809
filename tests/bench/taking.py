"""The service that hears, in a process of its own, as services are deployed: a consumer whose handler writes one row,
flushed once a batch. Each line of its input is a number; once so many more events were handled, it answers with when
the effects of each were committed: JSON, seconds by event id, on the clock that all processes of a machine share.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from sqlalchemy import MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.bus.consumer import Consumer
from shared.bus.transport import Record
from shared.database import Transaction
from shared.events.cases import TOPIC, PaymentReceived
from shared.events.envelope import Envelope
from shared.process import runner
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.tenants import owned

METADATA = MetaData()
SERVICE = Service("cases", service_tables(METADATA), Path("none"))


class Base(DeclarativeBase):
    metadata = METADATA


class Effect(Base):
    """What the handler writes."""

    __tablename__ = "effect"
    __table_args__ = owned(tenant=None, because="A table of benchmarks.")
    event_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    case_id: Mapped[UUID] = mapped_column(Uuid)


async def on_payment(tx: Transaction, event: PaymentReceived, envelope: Envelope) -> None:
    tx.session.add(Effect(event_id=envelope.event_id, case_id=event.case_id))


class TimedConsumer(Consumer):
    """Notes when the effects of each event were committed."""

    def __init__(self, name: str, **parts: Any) -> None:
        super().__init__(name, **parts)
        self._done_at: dict[str, float] = {}
        self._more = asyncio.Event()

    async def handle_batch(self, records: Sequence[Record]) -> None:
        await super().handle_batch(records)
        self._done_at.update(dict.fromkeys((record.headers["ce_id"] for record in records), perf_counter()))
        self._more.set()

    async def next(self, count: int) -> dict[str, float]:
        """Wait until so many more have been handled. Returns when each was."""
        while len(self._done_at) < count:
            self._more.clear()
            await self._more.wait()
        done_at, self._done_at = self._done_at, {}
        return done_at


async def answer(consumer: TimedConsumer) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        print(json.dumps(await consumer.next(int(line))), flush=True)


async def main() -> None:
    runtime = Runtime(SERVICE, Settings())
    await runtime.start()
    consumer = TimedConsumer(
        "bench",
        database=runtime.database,
        tables=SERVICE.tables.bus,
        transport=runtime.transport,
        topics=[TOPIC],
        handlers={PaymentReceived: on_payment},
        business_now=runtime.business_now,
    )
    consuming, answering = asyncio.create_task(consumer.run()), asyncio.create_task(answer(consumer))
    await asyncio.wait([consuming, answering], return_when=asyncio.FIRST_COMPLETED)
    consuming.cancel()
    await asyncio.wait([consuming])
    await runtime.close()


if __name__ == "__main__":
    with runner() as running:
        running.run(main())
