"""A world to break: a service that publishes numbered events of some keys, and one that handles them, each with its own
database. What must come out is known to the last event, so that a checker can say what was lost, doubled or swapped.

`said` is the truth: one row an event, written in the event's own transaction. The handler writes an effect (which no
constraint protects: a doubled one shows), a chain (a digest over a key's numbers, in order) and an answer of its own.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, insert, select, update

from shared.bus.projections import Projection
from shared.bus.transport import Partition
from shared.database import BigId, Transaction
from shared.events.cases import TOPIC, CaseReleased
from shared.events.envelope import Envelope
from shared.events.followup import PromiseCancelled
from shared.ids import new_id
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.tenants import owned

SAYING, HEARING = MetaData(), MetaData()
OF_TESTS = owned(tenant=None, because="A table of tests.")
SAYING_TABLES, HEARING_TABLES = service_tables(SAYING), service_tables(HEARING)
SAID = Table(
    "said",
    SAYING,
    Column("event_id", Uuid, primary_key=True),
    Column("key", Uuid, nullable=False),
    Column("n", BigInteger, nullable=False),
    **OF_TESTS,
)
COUNTER = Table(
    "counter", SAYING, Column("key", Uuid, primary_key=True), Column("n", BigInteger, nullable=False), **OF_TESTS
)
EFFECT = Table(
    "effect",
    HEARING,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("event_id", Uuid, nullable=False),
    Column("key", Uuid, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("answer_id", Uuid, nullable=False),
    **OF_TESTS,
)
CHAIN = Table(
    "chain", HEARING, Column("key", Uuid, primary_key=True), Column("digest", Text, nullable=False), **OF_TESTS
)
KEYS = [UUID(int=number) for number in range(1, 13)]


def linked(digest: str, number: int) -> str:
    """The next link of a key's chain: it differs wherever a number is missing, doubled or out of place."""
    return hashlib.sha256(f"{digest}/{number}".encode()).hexdigest()


async def write_chain(tx: Transaction, table: Table, event: CaseReleased, _envelope: Envelope) -> None:
    digest = await tx.session.scalar(select(table.c.digest).where(table.c.key == event.case_id))
    new = linked(digest or "", int(event.reason))
    if digest is None:
        await tx.session.execute(insert(table).values(key=event.case_id, digest=new))
    else:
        await tx.session.execute(update(table).where(table.c.key == event.case_id).values(digest=new))


async def write_effect(tx: Transaction, event: CaseReleased, envelope: Envelope) -> None:
    answer = PromiseCancelled(case_id=event.case_id, promise_id=event.hold_id, reason=event.reason)
    answer_id = tx.publish_as(answer, subject=new_id(), version=1, key=event.case_id)
    n = int(event.reason)
    await tx.session.execute(
        insert(EFFECT).values(event_id=envelope.event_id, key=event.case_id, n=n, answer_id=answer_id)
    )


CHAINS = Projection("chain", CHAIN, {CaseReleased: write_chain})


@dataclass(frozen=True, slots=True)
class World:
    """Where a world is: its folder, and its servers if it has any. It travels to other processes as JSON."""

    folder: str
    id: str
    saying_url: str | None = None
    hearing_url: str | None = None
    kafka: str | None = None
    replication: int = 1

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> "World":
        return cls(**json.loads(text))

    def saying(self) -> Runtime:
        """The service that publishes."""
        return Runtime(Service("cases", SAYING_TABLES, Path(self.folder)), self._settings(self.saying_url))

    def hearing(self) -> Runtime:
        """The service that handles."""
        service = Service(
            "followup",
            HEARING_TABLES,
            Path(self.folder),
            listens_to=(TOPIC,),
            handlers={CaseReleased: write_effect},
            projections=(CHAINS,),
        )
        return Runtime(service, self._settings(self.hearing_url))

    def _settings(self, url: str | None) -> Settings:
        return Settings(
            data_dir=Path(self.folder),
            database_url=url,
            kafka_bootstrap=self.kafka,
            kafka_replication=self.replication,
            lock_timeout_ms=2_000,
        )


async def create(folder: Path, **servers: Any) -> World:
    """A new world with its tables."""
    world = World(str(folder), str(new_id()), **servers)
    for runtime, metadata in ((world.saying(), SAYING), (world.hearing(), HEARING)):
        folder.mkdir(parents=True, exist_ok=True)
        async with runtime.database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        await runtime.close()
    return world


@asynccontextmanager
async def opened(runtime: Runtime) -> AsyncIterator[Runtime]:
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.close()


async def say(runtime: Runtime, keys: Sequence[UUID], *, roll_back: bool = False) -> list[UUID]:
    """Publish the next event of each key in one transaction, or take it all back. Returns the ids."""
    try:
        async with runtime.database.transaction() as tx:
            ids = [await say_next(tx, key) for key in sorted(keys)]
            if roll_back:
                raise _TakenBack
    except _TakenBack:
        return []
    return ids


async def say_next(tx: Transaction, key: UUID) -> UUID:
    """The key's row is locked before its event is written, so that numbers are said in the order of commits."""
    before = await tx.session.scalar(select(COUNTER.c.n).where(COUNTER.c.key == key).with_for_update())
    n = (before or 0) + 1
    if before is None:
        await tx.session.execute(insert(COUNTER).values(key=key, n=n))
    else:
        await tx.session.execute(update(COUNTER).where(COUNTER.c.key == key).values(n=n))
    event = CaseReleased(case_id=key, hold_id=new_id(), reason=str(n))
    event_id = tx.publish_as(event, subject=key, version=n, key=key)
    await tx.session.execute(insert(SAID).values(event_id=event_id, key=key, n=n))
    return event_id


class _TakenBack(Exception):
    pass


def everything(ends: dict[Partition, int]) -> dict[Partition, tuple[int, int]]:
    return {place: (0, end) for place, end in ends.items()}
