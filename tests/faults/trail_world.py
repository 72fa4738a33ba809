"""A trail to break: a bus with events whose ids and order are known, an audit database, and sequencers that are real
processes and die of SIGKILL (or halt by SIGSTOP) at a point that has a name.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from services.audit.attestations import publisher
from services.audit.attestations.checkpoints import unpublished_heads
from services.audit.attestations.sequencing import attested
from services.audit.settings import AuditSettings
from services.audit.trail import appending
from services.audit.trail.sequencer import positions
from services.audit.worker import SERVICE
from shared import migrations
from shared.bus.transport import Message
from shared.clock import system_now
from shared.events.cases import TOPIC, CaseReleased
from shared.events.envelope import SYSTEM, Envelope
from shared.ids import new_id
from shared.runtime import Runtime
from shared.telemetry import set_up_logging
from tests.faults.actors import _SPAWN, Actor, Orders, Point, _hurry, _until
from tests.faults.world import opened

POINTS = (
    "polled",
    "positions locked",
    "entries written",
    "before commit",
    "committed",
    "offset reported",
    "signed",
    "published",
)
LENDERS = 3
CASES = [UUID(int=number) for number in range(1, 25)]


@dataclass(frozen=True, slots=True)
class TrailWorld:
    """Where it is. It travels to other processes as JSON. Without servers it is a folder."""

    folder: str
    database_url: str | None = None
    kafka: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> "TrailWorld":
        return cls(**json.loads(text))

    @property
    def settings(self) -> AuditSettings:
        return AuditSettings(
            data_dir=Path(self.folder),
            database_url=self.database_url,
            kafka_bootstrap=self.kafka,
            lock_timeout_ms=2_000,
            heartbeat_seconds=1,
        )

    def runtime(self) -> Runtime:
        return Runtime(SERVICE, self.settings)

    def create(self) -> "TrailWorld":
        migrations.upgrade(SERVICE.migrations, self.settings.database_url_of("audit"))
        return self


class Teller:
    """Puts events on the bus, and knows which."""

    def __init__(self, world: TrailWorld) -> None:
        self._world = world
        self._versions = dict.fromkeys(CASES, 0)
        self.told: list[str] = []

    def tell(self, count: int) -> None:
        asyncio.run(self._tell(count))

    async def _tell(self, count: int) -> None:
        messages = [self._message(CASES[(len(self.told) + number) * 7 % len(CASES)]) for number in range(count)]
        async with opened(self._world.runtime()) as runtime:
            await runtime.transport.append(messages)
        self.told += [message.headers["ce_id"] for message in messages]

    def _message(self, case: UUID) -> Message:
        self._versions[case] += 1
        event = CaseReleased(case_id=case, hold_id=new_id(), reason="DISPUTE_PENDING")
        envelope = Envelope(
            event_id=new_id(),
            source="/cases",
            type=event.type,
            occurred_at=system_now(),
            subject=case,
            partition_key=case,
            sequence=self._versions[case],
            actor=SYSTEM,
            correlation_id=str(new_id()),
            lender_id=f"bank-{case.int % LENDERS}",
        )
        return Message(TOPIC, str(case), envelope.headers(), event.model_dump_json().encode())


class SequencerActor(Actor):
    """A sequencer with its publisher, in a process of its own; it works until all is taken and published."""

    def __init__(self, world: TrailWorld, orders: Orders | None = None) -> None:
        self._process = _SPAWN.Process(target=_act, args=(world.to_json(), orders or Orders("sequencer")), daemon=True)
        self._process.start()


def _act(world: str, orders: Orders) -> None:
    set_up_logging("CRITICAL")
    _hurry()
    asyncio.run(_sequence(TrailWorld.of_json(world), Point(orders)))


async def _sequence(world: TrailWorld, point: Point) -> None:
    async with opened(world.runtime()) as runtime:
        _set_points(runtime, point)
        made = attested(runtime)
        append, publish = made.sequencer.append, made.publisher.publish_once

        async def appending_then_point(batches: Any) -> int:
            added = await append(batches)
            point.at("committed")
            return added

        async def publishing_then_point() -> int:
            published = await publish()
            if published:
                point.at("published")
            return published

        made.sequencer.append = appending_then_point  # type: ignore[method-assign]
        made.publisher.publish_once = publishing_then_point  # type: ignore[method-assign]
        both = asyncio.ensure_future(asyncio.gather(made.sequencer.run(), made.publisher.run()))
        await _until(both, lambda: _all_done(runtime))
        both.cancel()
        await asyncio.wait([both])


def _set_points(runtime: Runtime, point: Point) -> None:
    """Points inside the transaction, and around the bus."""
    appending._known = _before(appending._known, lambda: point.at("positions locked"))
    appending._move_on = _before(appending._move_on, lambda: point.at("entries written"))
    moved = appending.append_records

    async def then_before_commit(*arguments: Any) -> Any:
        growth = await moved(*arguments)
        point.at("before commit")
        return growth

    from services.audit.trail import sequencer as module

    module.append_records = then_before_commit  # type: ignore[assignment]
    publisher.store_checkpoint = _before(publisher.store_checkpoint, lambda: point.at("signed"))
    runtime.transport = _Pointed(runtime.transport, point)  # type: ignore[assignment]


def _before(function: Callable[..., Any], at: Callable[[], None]) -> Any:
    async def pointed(*arguments: Any) -> Any:
        at()
        return await function(*arguments)

    return pointed


class _Pointed:
    """A transport, and its subscriptions, with points."""

    def __init__(self, inner: Any, point: Point) -> None:
        self._inner = inner
        self._point = point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def subscribe(self, *arguments: Any) -> Any:
        return _Pointed(await self._inner.subscribe(*arguments), self._point)

    async def poll(self, **how: Any) -> Any:
        polled = await self._inner.poll(**how)
        if polled:
            self._point.at("polled")
        return polled

    async def commit(self, offsets: Any) -> None:
        await self._inner.commit(offsets)
        self._point.at("offset reported")


async def _all_done(runtime: Runtime) -> bool:
    async with runtime.database.reading() as tx:
        reached, unpublished = await positions(tx), await unpublished_heads(tx)
    ends = await runtime.transport.ends([TOPIC])
    return not unpublished and all(reached.get(place, 0) >= end for place, end in ends.items())


@asynccontextmanager
async def database_of(world: TrailWorld) -> AsyncIterator[Runtime]:
    """The world's database alone; the bus is left in peace."""
    runtime = world.runtime()
    try:
        yield runtime
    finally:
        await runtime.database.close()
