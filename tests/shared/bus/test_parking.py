"""What fails parks its key and no other, and goes on from there when somebody says so."""

import asyncio
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from shared.bus import parking
from shared.bus.consumer import ATTEMPTS_MAX
from shared.bus.parking import Choice
from shared.bus.status import outbox_status
from shared.bus.transport import MESSAGE_BYTES_MAX
from shared.clock import system_now
from shared.database import Context
from shared.events import registry
from shared.events.cases import CaseReleased
from shared.ids import new_id
from tests.shared.bus.own_events import (
    TABLES,
    Handler,
    consume_all,
    consumer_of,
    effects,
    publish,
    records_of,
    relay_all,
)


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


async def test_a_delivery_that_comes_again_is_parked_once(runtime):
    key, handler = new_id(), Handler()
    handler.failing = {"bad"}
    await publish(runtime, "bad", "behind it", key=key)
    await relay_all(runtime)
    consumer = consumer_of(runtime, handler)
    await consume_all(runtime, consumer)
    await consumer.handle_batch(await records_of(runtime))
    async with runtime.database.reading() as tx:
        found = await parking.waiting(tx, TABLES.bus, "cases")
    assert [(parked.attempts, parked.error) for parked in found] == [(5, "ValueError"), (0, parking.WAITS)]


async def test_replay_up_to_an_event_leaves_the_rest(runtime):
    key, handler = new_id(), Handler()
    handler.failing = {"a"}
    await publish(runtime, "a", "b", "c", key=key)
    await relay_all(runtime)
    consumer = consumer_of(runtime, handler)
    await consume_all(runtime, consumer)
    async with runtime.database.reading() as tx:
        found = await parking.waiting(tx, TABLES.bus, "cases")
    handler.failing = set()
    done = await consumer.replay(Choice(event_id=found[1].event_id), Context())
    assert (done.cured, done.still_parked) == (2, 1)
    assert await effects(runtime) == ["a", "b"]
    assert (await consumer.replay(Choice(before=system_now() - timedelta(hours=1)), Context())).cured == 0
    assert (await consumer.replay(Choice(before=system_now()), Context())).cured == 1


async def test_a_newer_major_waits_until_the_program_knows_it(runtime, monkeypatch):
    key, handler = new_id(), Handler()
    await publish(runtime, "old", "new", "after it", key=key)
    async with runtime.database.transaction() as tx:
        outbox = TABLES.bus.outbox
        rows = (await tx.session.execute(select(outbox).order_by(outbox.c.seq))).all()
        newer = rows[1].headers.replace("case-released.v1", "case-released.v2")
        await tx.session.execute(outbox.update().where(outbox.c.seq == rows[1].seq).values(headers=newer))
    await relay_all(runtime)
    consumer = consumer_of(runtime, handler)
    await consume_all(runtime, consumer)
    assert await effects(runtime) == ["old"]
    assert (await consumer.replay(Choice(key=key), Context())).cured == 0
    monkeypatch.setitem(registry.EVENTS, "doorstep.cases.case-released.v2", CaseReleased)
    assert (await consumer.replay(Choice(key=key), Context())).cured == 2
    assert await effects(runtime) == ["after it", "new", "old"]


async def test_an_event_that_no_broker_takes_parks_its_key_and_no_other(runtime):
    key = new_id()
    await publish(runtime, "x" * (MESSAGE_BYTES_MAX + 1), "behind it", key=key)
    await publish(runtime, "other")
    await relay_all(runtime)
    await consume_all(runtime, consumer_of(runtime, Handler()))
    assert await effects(runtime) == ["other"]
    async with runtime.database.reading() as tx:
        found = await outbox_status(tx, TABLES.bus)
    assert (found.pending, found.parked_keys) == (2, 1)
    async with runtime.database.transaction() as tx:
        outbox = TABLES.bus.outbox
        await tx.session.execute(outbox.update().where(outbox.c.parked_at.is_not(None)).values(payload=b"[]"))
    assert (await consumer_of(runtime, Handler()).replay(Choice(key=key), Context())).released == 1
    await relay_all(runtime)
    await consume_all(runtime, consumer_of(runtime, Handler()))
    assert await effects(runtime) == ["behind it", "other"]
