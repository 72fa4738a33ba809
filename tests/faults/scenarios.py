"""The faults to survive, each a function that does its harm to a world. When it returns, undisturbed processes finish
the work, and the checker looks.
"""

import asyncio
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import insert, select, update

from deploy.dev.kafka import Kafka, kafka
from deploy.dev.postgres import Postgres, _answers, postgres
from shared.bus.parking import Choice
from shared.bus.transport import Message, Record, dead_letter_topic
from shared.database import Context
from shared.events.cases import TOPIC, CaseReleased
from shared.events.registry import EVENTS
from shared.ids import new_id
from tests.faults.actors import POINTS, Actor, Orders
from tests.faults.checker import Findings, check
from tests.faults.world import (
    CHAIN,
    EFFECT,
    KEYS,
    SAYING_TABLES,
    World,
    create,
    everything,
    opened,
    say,
    say_next,
)

DRAIN_SECONDS_MAX = 10.0


@dataclass(slots=True)
class Servers:
    """A Kafka and a PostgreSQL that a fault may kill."""

    kafka: Kafka
    postgres: Postgres

    def world(self, folder: Path) -> World:
        urls = []
        for _ in range(2):
            name = f"faults_{new_id().hex}"
            self.postgres.create_database(name)
            urls.append(self.postgres.url_of(name))
        asyncio.run(forget_topics(self.kafka.bootstrap))
        return asyncio.run(create(folder, saying_url=urls[0], hearing_url=urls[1], kafka=self.kafka.bootstrap))


async def forget_topics(bootstrap: str) -> None:
    """A broker without any topic, and so without positions in them, as a new world expects it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        while topics := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(topics)
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


@contextmanager
def servers() -> Iterator[Servers]:
    with kafka() as cluster, postgres(durable=True) as server:
        yield Servers(cluster, server)


def embedded_world(folder: Path) -> World:
    return asyncio.run(create(folder))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault. `needs` is "servers" or "embedded" where it concerns one of them only."""

    name: str
    harm: Callable[[World, Servers | None], int]
    needs: str = ""

    def suits(self, transport: str) -> bool:
        return not self.needs or (self.needs == "servers") == (transport == "kafka")

    def run(self, world: World, with_servers: Servers | None) -> tuple[int, Findings]:
        """Do the harm, let the rest be done, look. Returns how many processes were killed, and what was found."""
        kills = self.harm(world, with_servers)
        finish(world)
        return kills, asyncio.run(check(world))


def do(world: World, role: str, **orders: object) -> int:
    """Let an actor work until it is through, or dead. Returns its exit status."""
    return Actor(world, Orders(role, **orders)).wait()


def finish(world: World, linger_seconds: float = 0.0) -> None:
    """Let undisturbed processes do the rest."""
    for role in ("relay", "consumer", "relay"):
        assert do(world, role, linger_seconds=linger_seconds) == 0


def prepare(world: World, role: str, count: int = 12) -> None:
    """Something to do for the actor of a role."""
    assert do(world, "writer", count=count) == 0
    if role == "consumer":
        assert do(world, "relay") == 0


def kill_everywhere(world: World, _servers: Servers | None) -> int:
    """Each process dies once at each of its points."""
    places = [(role, point) for role, points in POINTS.items() for point in points]
    for role, point in places:
        prepare(world, role)
        assert do(world, role, die_at=point) == -signal.SIGKILL, f"{role} never came to {point!r}"
    finish(world, linger_seconds=2.0)
    return len(places)


def kill_at_random(world: World, _servers: Servers | None) -> int:
    """Ten deaths in any order, some of them while others work."""
    kills = 0
    for _ in range(10):
        role = random.choice(list(POINTS))
        prepare(world, role, count=random.randint(4, 20))
        orders = Orders(role, die_at=random.choice(POINTS[role]), after=random.randint(1, 3))
        beside = Actor(world, Orders(random.choice(("relay", "consumer", "writer")), count=6))
        kills += Actor(world, orders).wait() == -signal.SIGKILL
        assert beside.wait() == 0
    finish(world, linger_seconds=2.0)
    return kills


def halt_the_relay(world: World, _servers: Servers | None) -> int:
    """SIGSTOP the leader past its lease: another takes over; the first, awake again, marks nothing."""
    prepare(world, "relay", count=40)
    halted = Actor(world, Orders("relay", die_at="acknowledged", halt=True))
    halted.wait_halted()
    time.sleep(1.5)
    prepare(world, "relay")
    assert do(world, "relay") == 0
    halted.signal(signal.SIGCONT)
    assert halted.wait() == 0
    return 0


def commit_out_of_turn(world: World, _servers: Servers | None) -> int:
    """The row that got the lower seq is committed after the higher one was relayed."""

    async def run() -> None:
        async with opened(world.saying()) as first, opened(world.saying()) as second:
            late, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> None:
                async with first.database.transaction() as tx:
                    await say_next(tx, KEYS[0])
                    await tx.session.execute(
                        insert(first.service.tables.bus.outbox), [each.frozen() for each in tx.outbox]
                    )
                    tx.outbox.clear()
                    late.set()
                    await go_on.wait()

            waiting = asyncio.create_task(slow())
            await late.wait()
            await say(second, [KEYS[1]])
            assert await asyncio.to_thread(do, world, "relay") == 0
            go_on.set()
            await waiting

    asyncio.run(run())
    return 0


def deliver_twice(world: World, _servers: Servers | None) -> int:
    """All events come again; and two processes handle the same batch at the same time."""
    prepare(world, "consumer", count=30)

    async def run() -> None:
        async with opened(world.hearing()) as one, opened(world.hearing()) as other:
            records = await records_of(one)
            await one.transport.append([Message(TOPIC, r.key, r.headers, r.value) for r in records])
            consumers = [one.consumer(), other.consumer()]
            await asyncio.gather(*(consumer.handle_batch(records) for consumer in consumers))

    asyncio.run(run())
    return 0


async def records_of(runtime) -> list[Record]:
    spans = everything(await runtime.transport.ends([TOPIC]))
    return [record async for records in runtime.transport.history(spans) for record in records]


def lock_the_database(world: World, _servers: Servers | None) -> int:
    """Somebody holds the handler's database for longer than anybody waits for it."""
    prepare(world, "consumer", count=30)
    with sqlite3.connect(Path(world.folder) / "followup.sqlite3", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        consumer = Actor(world, Orders("consumer"))
        time.sleep(3.5)
        holder.execute("ROLLBACK")
    holder.close()
    assert consumer.wait() == 0
    return 0


def lose_the_database(world: World, with_servers: Servers | None) -> int:
    """PostgreSQL dies by SIGKILL in the middle of a handler, and comes back two seconds later."""
    prepare(world, "consumer", count=40)
    consumer = Actor(world, Orders("consumer", die_at="handling", after=5, halt=True))
    consumer.wait_halted()
    server = with_servers.postgres
    server.child.kill()
    consumer.signal(signal.SIGCONT)
    time.sleep(2)
    server.child.start()
    server.child.wait_ready(lambda: _answers(server.server_url), "PostgreSQL")
    assert consumer.wait() == 0
    return 1


def lose_the_broker(seconds: float) -> Callable[[World, Servers | None], int]:
    """The broker dies by SIGKILL while a wave is on its way and a batch is handled, and comes back later."""

    def harm(world: World, with_servers: Servers | None) -> int:
        prepare(world, "consumer", count=40)
        prepare(world, "relay", count=350)
        relay = Actor(world, Orders("relay", die_at="sent", halt=True))
        consumer = Actor(world, Orders("consumer", die_at="handling", after=5, halt=True))
        for each in (relay, consumer):
            each.wait_halted()
        with_servers.kafka.kill(1)
        for each in (relay, consumer):
            each.signal(signal.SIGCONT)
        time.sleep(seconds)
        with_servers.kafka.start(1)
        with_servers.kafka.wait_ready()
        assert (relay.wait(120), consumer.wait(120)) == (0, 0)
        return 1

    return harm


def put_poison(world: World, _servers: Servers | None) -> int:
    """What nobody can read, between events: to the dead letters, and on."""
    prepare(world, "consumer", count=10)
    poison = [
        Message(TOPIC, str(KEYS[0]), {}, b"\xff\x00 no event"),
        Message(TOPIC, str(KEYS[1]), {"ce_type": "doorstep.cases.nobody-knows.v1"}, b"{}"),
        Message(TOPIC, str(KEYS[2]), {"ce_type": "doorstep.cases.case-released.v1"}, b"[]"),
    ]

    async def run() -> int:
        async with opened(world.hearing()) as runtime:
            await runtime.transport.append(poison)
            await asyncio.to_thread(prepare, world, "consumer", 10)
            await asyncio.to_thread(finish, world)
            [ends] = (await runtime.transport.ends([dead_letter_topic(TOPIC, runtime.service.name)])).values()
            return ends

    assert asyncio.run(run()) == len(poison)
    return 0


def fail_always(world: World, _servers: Servers | None) -> int:
    """A key whose handler fails, and one with an event of a version to come: each waits with what is behind it, the
    others go on. Mended and replayed, nothing is missing and all is in order."""
    failing, newer = KEYS[0], KEYS[1]
    prepare(world, "relay", count=30)
    asyncio.run(_publish_as_newer(world, newer))
    assert do(world, "relay") == 0
    assert do(world, "consumer", fails_on=str(failing)) == 0
    assert do(world, "relay") == 0
    found = asyncio.run(check(world, parked=frozenset({failing, newer})))
    assert found.kept, found
    assert 0 < found.handled < found.committed
    prepare(world, "consumer", count=30)
    assert do(world, "consumer") == 0
    asyncio.run(_replay_all(world))
    return 0


NEWER = CaseReleased.type.replace(".v1", ".v2")


async def _publish_as_newer(world: World, key: UUID) -> None:
    """Let the next event of a key have a major that the reader does not know yet."""
    async with opened(world.saying()) as runtime, runtime.database.transaction() as tx:
        outbox = SAYING_TABLES.bus.outbox
        waiting = select(outbox).where(outbox.c.key == key, outbox.c.published_at.is_(None)).order_by(outbox.c.seq)
        row = (await tx.session.execute(waiting.limit(1))).one()
        headers = row.headers.replace(CaseReleased.type, NEWER)
        await tx.session.execute(update(outbox).where(outbox.c.seq == row.seq).values(headers=headers))


async def _replay_all(world: World) -> None:
    """As `doorstep bus replay --all`, by a program that knows the newer major."""
    with mock.patch.dict(EVENTS, {NEWER: CaseReleased}):
        async with opened(world.hearing()) as runtime:
            done = await runtime.replay(Choice(), Context())
    assert (len(done.keys), done.still_parked) == (2, 0)


def end_in_the_middle(world: World, _servers: Servers | None) -> int:
    """SIGTERM while a batch is handled: the worker ends in time and by itself, with this batch done and no other."""
    prepare(world, "consumer", count=100)
    worker = Actor(world, Orders("worker", die_at="handling", halt=True))
    worker.wait_halted()
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGCONT)
    told_at = time.monotonic()
    assert worker.wait() == 0
    assert time.monotonic() - told_at < DRAIN_SECONDS_MAX
    found = asyncio.run(check(world))
    assert [found.doubled, found.out_of_order, found.invented] == [[], [], []]
    assert 0 < found.handled < found.committed
    return 0


SCENARIOS = [
    Scenario("SIGKILL at every point", kill_everywhere),
    Scenario("SIGKILL at random", kill_at_random),
    Scenario("relay halted past its lease", halt_the_relay),
    Scenario("commits with inverted seq", commit_out_of_turn, needs="servers"),
    Scenario("every event delivered twice", deliver_twice),
    Scenario("database locked", lock_the_database, needs="embedded"),
    Scenario("database killed mid-handler", lose_the_database, needs="servers"),
    Scenario("broker killed for 1 s", lose_the_broker(1), needs="servers"),
    Scenario("poison and unknown types", put_poison),
    Scenario("a key that always fails", fail_always),
    Scenario("SIGTERM mid-batch", end_in_the_middle),
]
LONG = [
    Scenario("broker killed for 10 s", lose_the_broker(10), needs="servers"),
    Scenario("broker killed for 60 s", lose_the_broker(60), needs="servers"),
]


async def tamper(world: World) -> None:
    """What a bus without order would have done: two effects of a key change places, and a chain forgets a link."""
    async with opened(world.hearing()) as runtime, runtime.database.transaction() as tx:
        first, second, *_ = (await tx.session.scalars(select(EFFECT.c.id).where(EFFECT.c.key == KEYS[0]))).all()
        for old, new in ((first, -1), (second, first), (-1, second)):
            await tx.session.execute(update(EFFECT).where(EFFECT.c.id == old).values(id=new))
        await tx.session.execute(update(CHAIN).where(CHAIN.c.key == KEYS[1]).values(digest="forgotten"))
