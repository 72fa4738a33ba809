"""The processes of a world: a writer, a relay, a consumer. Each is a real process, and each dies of a real SIGKILL (or
halts by SIGSTOP) at a point that has a name, when it comes there for the n-th time.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from shared.bus import consumer as consumer_module
from shared.bus import embedded, inbox, kafka, lease, reports
from shared.bus.consumer import Consumer
from shared.bus.relay import Relay
from shared.bus.transport import Message, TransportDown
from shared.database import AWAY, Transaction
from shared.events.cases import CaseReleased
from shared.runtime import Runtime
from shared.telemetry import set_up_logging
from shared.worker import Worker
from tests.faults.world import KEYS, World, opened, say

POINTS = {
    "writer": ("before commit", "after commit"),
    "relay": ("read", "sent", "acknowledged", "marked"),
    "consumer": ("handling", "before commit", "after commit", "offset committed"),
}
PATIENCE_SECONDS = 60
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["tests.faults.actors"])


@dataclass(frozen=True, slots=True)
class Orders:
    """What an actor shall do: `die_at` a point when it comes there for the `after`-th time; or halt there instead. Its
    handlers fail on the events of the key `fails_on`; a writer pauses between its transactions.
    `without` switches off a part of the bus, to see that the checker notices. `linger_seconds`: work at least so long,
    though everything seems to be handled, so that what the dead have left uncommitted comes again."""

    role: str
    die_at: str = ""
    after: int = 1
    halt: bool = False
    count: int = 40
    without: str = ""
    linger_seconds: float = 0.0
    fails_on: str = ""
    pause_seconds: float = 0.0


class Actor:
    """A process that works until nothing is left to do, unless it dies before."""

    def __init__(self, world: World, orders: Orders) -> None:
        self._process = _SPAWN.Process(target=_act, args=(world.to_json(), orders), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit status, negative for a signal."""
        self._process.join(seconds)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            raise AssertionError("an actor did not end in time")
        return status

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_halted(self) -> None:
        """Until SIGSTOP has stopped it."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < ends, "an actor did not halt in time"
            time.sleep(0.02)


def _act(world: str, orders: Orders) -> None:
    set_up_logging("CRITICAL")
    _hurry()
    asyncio.run(_ROLES[orders.role](World.of_json(world), orders, Point(orders)))


def _hurry() -> None:
    """Leases and memberships of the dead end soon, so that a hundred kills take minutes and not hours."""
    lease.LEASE_SECONDS = 1.0
    embedded.MEMBER_SILENT_SECONDS_MAX = 1.0
    embedded._HEARTBEAT_SECONDS = 0.2
    kafka.SESSION_TIMEOUT_MS = 1_500
    consumer_module.BACK_OFF_SECONDS_MAX = 0.5


class Point:
    """Dies, or halts, at the named point."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._times = 0

    def at(self, name: str) -> None:
        if name != self._orders.die_at:
            return
        self._times += 1
        if self._times == self._orders.after:
            os.kill(os.getpid(), signal.SIGSTOP if self._orders.halt else signal.SIGKILL)


async def _write(world: World, orders: Orders, point: Point) -> None:
    runtime = world.saying()
    event.listen(runtime.database.engine.sync_engine, "commit", lambda _: point.at("before commit"))
    unprotected: list[Message] = []
    if orders.without == "outbox":
        Transaction.add_to_outbox = lambda _tx, **parts: unprotected.append(_message(parts))  # type: ignore[method-assign]
    async with opened(runtime):
        for number in range(orders.count):
            keys = [KEYS[(number * step) % len(KEYS)] for step in (1, 5)]
            await say(runtime, list(set(keys)), roll_back=number % 7 == 3)
            point.at("after commit")
            await asyncio.sleep(orders.pause_seconds)
            if unprotected:
                await runtime.transport.append(unprotected)
                unprotected.clear()


def _message(parts: dict[str, Any]) -> Message:
    return Message(parts["topic"], str(parts["key"]), parts["headers"], parts["payload"])


async def _relay(world: World, orders: Orders, point: Point) -> None:
    async with opened(world.saying()) as saying, opened(world.hearing()) as hearing:
        linger = orders.linger_seconds
        await asyncio.gather(_relay_all(saying, point, linger), _relay_all(hearing, Point(Orders("relay")), linger))


async def _relay_all(runtime: Runtime, point: Point, linger_seconds: float) -> None:
    """Relay until nothing is left, as the loop of a worker does, but not for ever."""
    relay = _DyingRelay(
        runtime.database, runtime.service.tables.bus, _Dying(runtime.transport, point), wake=asyncio.Event()
    )
    relay.point = point
    running = asyncio.create_task(relay.run())
    await asyncio.sleep(linger_seconds)
    await _until(running, lambda: _published(runtime))
    running.cancel()
    await asyncio.wait([running])


async def _published(runtime: Runtime) -> bool:
    async with runtime.database.reading() as tx:
        found = await runtime.bus_status(tx)
    return not found.outbox.pending


async def _consume(world: World, orders: Orders, point: Point) -> None:
    async with opened(world.hearing()) as runtime:
        if orders.without == "inbox":
            inbox.claim = _claim_everything  # type: ignore[assignment]
        if orders.die_at in ("after commit", "offset committed"):
            reports.TELL_EVERY_SECONDS = 0.0  # so that these points come after every batch
        commits = runtime.database.engine.sync_engine
        event.listen(commits, "commit", lambda _: point.at("before commit"))
        runtime.transport = _Dying(runtime.transport, point)  # type: ignore[assignment]
        consumer = runtime.consumer()
        handlers = consumer._handlers

        def dying(handle: Any) -> Any:
            async def handled(*arguments: Any) -> None:
                await handle(*arguments)
                if str(arguments[1].case_id) == orders.fails_on:
                    raise ValueError("as ordered")
                point.at("handling")

            return handled

        consumer._handlers = {kind: dying(handler) for kind, handler in handlers.items()}
        running = asyncio.create_task(consumer.run())
        await asyncio.sleep(orders.linger_seconds)
        await _until(running, lambda: _caught_up(runtime, consumer))
        running.cancel()
        await asyncio.wait([running])


async def _work(world: World, orders: Orders, point: Point) -> None:
    """The worker as it is, with a handler that takes its time; it ends when it is told to."""
    runtime, stop = world.hearing(), asyncio.Event()
    handle = runtime.service.handlers[CaseReleased]

    async def slowly(*arguments: Any) -> None:
        await handle(*arguments)
        point.at("handling")
        await asyncio.sleep(0.01)

    runtime.service.handlers[CaseReleased] = slowly  # type: ignore[index]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with opened(runtime):
        await Worker(runtime).run(stop)


async def _caught_up(runtime: Runtime, consumer: Consumer) -> bool:
    await consumer.watchdog.look()
    async with runtime.database.reading() as tx:
        reached = await inbox.positions(tx, runtime.service.tables.bus, consumer.name)
    ends = await runtime.transport.ends(consumer.topics)
    return all(reached.get(place, 0) >= end for place, end in ends.items())


async def _until(running: "asyncio.Task[None]", done: Any) -> None:
    """Wait until there is nothing to do, twice in a row."""
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(0.1)
        if running.done():
            running.result()
        try:
            quiet = quiet + 1 if await done() else 0
        except (TransportDown, DBAPIError, *AWAY):
            quiet = 0  # the database or the broker is away: that is the fault


async def _claim_everything(_tx: Any, _tables: Any, _consumer: str, event_ids: Any) -> set[Any]:
    return set(event_ids)


class _Dying:
    """A transport with points to die at."""

    def __init__(self, inner: Any, point: Point) -> None:
        self._inner = inner
        self._point = point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def append(self, messages: Any) -> None:
        self._point.at("read")
        sending = asyncio.create_task(self._inner.append(messages))
        await asyncio.sleep(0.002)
        self._point.at("sent")
        await sending
        self._point.at("acknowledged")

    async def subscribe(self, group: str, topics: Any) -> Any:
        return _DyingSubscription(await self._inner.subscribe(group, topics), self._point)


class _DyingSubscription:
    def __init__(self, inner: Any, point: Point) -> None:
        self._inner = inner
        self._point = point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, offsets: Any) -> None:
        self._point.at("after commit")
        await self._inner.commit(offsets)
        self._point.at("offset committed")


class _DyingRelay(Relay):
    point: Point

    async def _mark(self, seqs: list[int]) -> None:
        await super()._mark(seqs)
        self.point.at("marked")


_ROLES = {"writer": _write, "relay": _relay, "consumer": _consume, "worker": _work}
