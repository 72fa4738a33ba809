"""Outbox, relay, inbox and consumer on both databases: once, in order, and nothing from what was rolled back."""

import asyncio
import json

import pytest
from sqlalchemy import Column, MetaData, Table, Text, Uuid, func, insert, select
from sqlalchemy.exc import IntegrityError

from shared.bus.consumer import ATTEMPTS_MAX, Consumer
from shared.bus.embedded import EmbeddedTransport
from shared.bus.lease import LeaseLost
from shared.bus.parking import Choice
from shared.bus.relay import Relay, outbox_pending
from shared.bus.transport import Message
from shared.database import Context
from shared.events.cases import TOPIC, CaseReleased
from shared.ids import new_id
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings

METADATA = MetaData()
TABLES = service_tables(METADATA)
EFFECTS = Table("effect", METADATA, Column("event_id", Uuid, primary_key=True), Column("reason", Text, nullable=False))


@pytest.fixture(params=["sqlite", "postgresql"])
async def runtime(request, tmp_path):
    """A service with an outbox and a consumer of its own events."""
    url = request.getfixturevalue("fresh_database")() if request.param == "postgresql" else None
    running = Runtime(Service("cases", TABLES, tmp_path), Settings(data_dir=tmp_path, database_url=url))
    async with running.database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await running.start()
    yield running
    await running.close()


def relay_of(runtime):
    return Relay(runtime.database, TABLES.bus, runtime.transport, wake=asyncio.Event())


async def relay_all(runtime):
    relay = relay_of(runtime)
    assert await relay._lease.holds()
    while await relay.relay_once():
        pass


async def publish(runtime, *reasons, key=None):
    async with runtime.database.transaction() as tx:
        for reason in reasons:
            case_id = key or new_id()
            event = CaseReleased(case_id=case_id, hold_id=new_id(), reason=reason)
            tx.publish_as(event, subject=new_id(), version=1, key=case_id)


class Handler:
    """Writes an effect; fails on the reasons that it is told to fail on."""

    def __init__(self):
        self.failing = set()
        self.tries = 0

    async def __call__(self, tx, event, envelope):
        if event.reason in self.failing:
            self.tries += 1
            await tx.session.execute(insert(EFFECTS).values(event_id=envelope.event_id, reason="half done"))
            raise ValueError("as told")
        if event.reason == "twice":
            await tx.session.execute(insert(EFFECTS).values(event_id=envelope.event_id, reason="first"))
        await tx.session.execute(insert(EFFECTS).values(event_id=envelope.event_id, reason=event.reason))


def consumer_of(runtime, handler):
    return Consumer(
        "cases",
        database=runtime.database,
        tables=TABLES.bus,
        transport=runtime.transport,
        topics=[TOPIC],
        handlers={CaseReleased: handler},
        business_now=runtime.business_now,
    )


async def consume_all(runtime, consumer):
    subscription = await runtime.transport.subscribe("cases", [TOPIC])
    while await consumer.consume_once(subscription, timeout_seconds=0.2):
        pass
    await subscription.close()


async def effects(runtime):
    async with runtime.database.reading() as tx:
        return sorted(await tx.session.scalars(select(EFFECTS.c.reason)))


async def publish_and_fail(runtime):
    async with runtime.database.transaction() as tx:
        event = CaseReleased(case_id=new_id(), hold_id=new_id(), reason="no")
        tx.publish_as(event, subject=new_id(), version=1, key=event.case_id)
        raise RuntimeError


async def test_what_is_rolled_back_is_never_published(runtime):
    with pytest.raises(RuntimeError):
        await publish_and_fail(runtime)
    await publish(runtime, "yes")
    await relay_all(runtime)
    await consume_all(runtime, consumer_of(runtime, Handler()))
    assert await effects(runtime) == ["yes"]


async def test_an_event_that_comes_again_has_one_effect(runtime):
    await publish(runtime, "a", "b")
    async with runtime.database.reading() as tx:
        rows = (await tx.session.execute(select(TABLES.bus.outbox))).all()
    await relay_all(runtime)
    again = [Message(row.topic, str(row.key), json.loads(row.headers), row.payload) for row in rows]
    await runtime.transport.append([*again, *again])
    await consume_all(runtime, consumer_of(runtime, Handler()))
    assert await effects(runtime) == ["a", "b"]


async def test_a_failing_event_parks_its_key_and_no_other(runtime):
    key, handler = new_id(), Handler()
    handler.failing = {"bad"}
    consumer = consumer_of(runtime, handler)
    await publish(runtime, "bad", "behind it", key=key)
    await publish(runtime, "other")
    await relay_all(runtime)
    await consume_all(runtime, consumer)
    assert await effects(runtime) == ["other"]
    assert handler.tries >= ATTEMPTS_MAX
    handler.failing = set()
    assert (await consumer.replay(Choice(key=key), Context())).cured == 2
    assert await effects(runtime) == ["bad", "behind it", "other"]
    assert (await consumer.replay(Choice(key=key), Context())).cured == 0


async def test_a_broken_constraint_is_the_handlers_error_not_the_databases(runtime):
    await publish(runtime, "twice", "fine")
    await relay_all(runtime)
    await asyncio.wait_for(consume_all(runtime, consumer_of(runtime, Handler())), 20)
    assert await effects(runtime) == ["fine"]
    async with runtime.database.reading() as tx:
        [error] = await tx.session.scalars(select(TABLES.bus.parked.c.error))
    assert error == IntegrityError.__name__


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({}, b"not json"),
        ({"ce_type": "doorstep.cases.nobody-knows.v9"}, b"{}"),
        ({"ce_type": CaseReleased.type}, b"[]"),
    ],
)
async def test_what_cannot_be_read_goes_to_the_dead_letters_unchanged(runtime, headers, value):
    await runtime.transport.append([Message(TOPIC, "k", headers, value)])
    await publish(runtime, "after it")
    await relay_all(runtime)
    await consume_all(runtime, consumer_of(runtime, Handler()))
    assert await effects(runtime) == ["after it"]
    async with runtime.database.reading() as tx:
        outbox = TABLES.bus.outbox
        [letter] = (await tx.session.execute(select(outbox).where(outbox.c.topic != TOPIC))).all()
    assert (letter.topic, letter.payload) == (f"{TOPIC}.cases.dlq", value)


async def test_who_lost_the_lease_marks_nothing(runtime):
    await publish(runtime, "a")
    first = relay_of(runtime)
    assert await first._lease.take()
    async with runtime.database.transaction() as tx:
        await tx.session.execute(TABLES.bus.lease.update().values(expires_at_seconds=0))
    second = relay_of(runtime)
    assert await second._lease.take()
    assert second._lease.epoch == first._lease.epoch + 1
    with pytest.raises(LeaseLost):
        await first.relay_once()
    async with runtime.database.reading() as tx:
        assert await outbox_pending(tx, TABLES.bus) == 1
    assert await second.relay_once() == 1
    await consume_all(runtime, consumer_of(runtime, Handler()))
    assert await effects(runtime) == ["a"]


async def test_two_services_with_one_log_each_get_all(runtime, tmp_path):
    other = EmbeddedTransport(tmp_path / "bus.sqlite3")
    await other.start()
    await publish(runtime, *"abc")
    await relay_all(runtime)
    subscription = await other.subscribe("audit", [TOPIC])
    got = await subscription.poll(records_max=10, timeout_seconds=1)
    assert sum(len(records) for records in got.values()) == 3
    await other.close()
    async with runtime.database.reading() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(TABLES.bus.outbox)) == 3
