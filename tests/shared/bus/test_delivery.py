"""Outbox, inbox and consumer on both databases: once, in order, and nothing from what was rolled back."""

import asyncio
import json
import time
from collections import Counter

import pytest
from sqlalchemy import event, func, insert, select

from shared.bus import consumer as consumer_module
from shared.bus.embedded import EmbeddedTransport
from shared.bus.transport import Message
from shared.events.cases import TOPIC, CaseReleased
from shared.ids import new_id
from shared.telemetry import HANDLED
from tests.shared.bus.own_events import (
    EFFECTS,
    TABLES,
    Effect,
    Handler,
    consume_all,
    consumer_of,
    effects,
    publish,
    records_of,
    relay_all,
)


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


def handled(result):
    return HANDLED.labels("cases", CaseReleased.type, result)._value.get()


async def test_what_comes_again_is_counted_as_a_duplicate_only(runtime):
    await publish(runtime, *"abc")
    await relay_all(runtime)
    records, consumer = await records_of(runtime), consumer_of(runtime, Handler())
    before = [handled(result) for result in ("done", "duplicate")]
    await consumer.handle_batch(records)
    await consumer.handle_batch([*records, records[0]])
    assert [handled(result) for result in ("done", "duplicate")] == [before[0] + 3, before[1] + 4]


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
    consumer = consumer_of(runtime, Handler())
    await consume_all(runtime, consumer)
    await consumer.handle_batch(await records_of(runtime))  # as when nobody was told how far it had come
    assert await effects(runtime) == ["after it"]
    async with runtime.database.reading() as tx:
        outbox = TABLES.bus.outbox
        [letter] = (await tx.session.execute(select(outbox).where(outbox.c.topic != TOPIC))).all()
    assert (letter.topic, letter.payload) == (f"{TOPIC}.cases.dlq", value)


async def test_one_failing_event_among_many_costs_few_transactions(runtime):
    handler, begun = Handler(), Counter()
    handler.failing = {"150"}
    await publish(runtime, *map(str, range(300)))
    await relay_all(runtime)
    records = await records_of(runtime)

    def count(*_arguments):
        begun["transactions"] += 1

    event.listen(runtime.database.engine.sync_engine, "begin", count)
    await consumer_of(runtime, handler).handle_batch(records)
    event.remove(runtime.database.engine.sync_engine, "begin", count)
    assert sorted(map(int, await effects(runtime))) == [number for number in range(300) if number != 150]
    assert begun["transactions"] < 40


async def test_quick_batches_grow_and_slow_ones_shrink(runtime, monkeypatch):
    await publish(runtime, *map(str, range(500)))
    await relay_all(runtime)
    records, consumer = await records_of(runtime), consumer_of(runtime, Handler())
    monkeypatch.setattr(consumer_module, "BATCH_SECONDS_SHORT", 1000)
    monkeypatch.setattr(consumer_module, "BATCH_SECONDS_LONG", 1000)
    for taken, wanted in ((100, 200), (200, 400), (400, 500), (500, 500), (20, 500)):
        await consumer.handle_batch(records[:taken])
        assert consumer._records_max == wanted
    monkeypatch.setattr(consumer_module, "BATCH_SECONDS_LONG", 0)
    for wanted in (250, 125, 100, 100):
        await consumer.handle_batch(records)
        assert consumer._records_max == wanted


async def test_who_only_reads_is_refused_to_write(runtime):
    statement = insert(EFFECTS).values(event_id=new_id(), reason="no")
    for change in (statement, EFFECTS.update().values(reason="no"), EFFECTS.delete()):
        async with runtime.database.reading() as tx:
            with pytest.raises(RuntimeError, match="only reads"):
                await tx.session.execute(change)
    async with runtime.database.reading() as tx:
        row = Effect()
        row.event_id, row.reason = new_id(), "no"
        tx.session.add(row)
        with pytest.raises(RuntimeError, match="only reads"):
            await tx.session.flush()
    assert await effects(runtime) == []


async def test_a_cancelled_write_is_over_before_the_next_one_begins(tmp_path):
    transport, seen = EmbeddedTransport(tmp_path / "bus.sqlite3"), []
    await transport.start()

    def slowly(db):
        seen.append("begun")
        time.sleep(0.2)
        seen.append(db.in_transaction)

    writing = asyncio.create_task(transport.run(slowly, write=True))
    while not seen:
        await asyncio.sleep(0.01)
    for _ in range(2):  # the second comes while it waits for the thread
        writing.cancel()
        await asyncio.sleep(0.01)
    await transport.run(lambda db: seen.append(db.in_transaction))
    assert seen == ["begun", True, False]
    with pytest.raises(asyncio.CancelledError):
        await writing
    await transport.close()
