"""Outbox, relay, inbox and consumer on both databases: once, in order, and nothing from what was rolled back."""

import asyncio
import contextlib
import dataclasses
import json
import sqlite3
import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Column, MetaData, Table, Text, Uuid, event, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry as mapper_registry

from shared.bus import consumer as consumer_module
from shared.bus import inbox, parking, watchdog
from shared.bus.consumer import ATTEMPTS_MAX, Consumer
from shared.bus.embedded import EmbeddedTransport
from shared.bus.lease import LeaseLost
from shared.bus.parking import Choice
from shared.bus.projections import Projection, Rebuild
from shared.bus.relay import Relay, outbox_pending
from shared.bus.reports import Reports
from shared.bus.status import outbox_status
from shared.bus.transport import MESSAGE_BYTES_MAX, Message
from shared.clock import system_now
from shared.database import Context
from shared.errors import Conflict
from shared.events import registry
from shared.events.cases import TOPIC, CaseReleased
from shared.ids import new_id
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.telemetry import CONSUMER_RECREATED, HANDLED
from shared.web.operations import readiness
from shared.worker import Worker

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
    async with runtime.database.transaction() as tx:
        await tx.session.execute(TABLES.bus.lease.update().values(expires_at_seconds=0))
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


class Effect:
    """A row of effects, as an object."""


mapper_registry().map_imperatively(Effect, EFFECTS)


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
    while reached := await consumer.consume_once(subscription, timeout_seconds=0.2):
        await subscription.commit(reached)
    await subscription.close()


async def effects(runtime):
    async with runtime.database.reading() as tx:
        return sorted(await tx.session.scalars(select(EFFECTS.c.reason)))


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


async def test_a_consumer_tells_how_far_it_came_when_it_ends(runtime):
    running = asyncio.create_task(consumer_of(runtime, Handler()).run())
    for reason in ("a", "b", "c"):  # the last ones within the second in which it tells once
        await publish(runtime, reason)
        await relay_all(runtime)
        async with asyncio.timeout(10):
            while reason not in await effects(runtime):
                await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    again = await runtime.transport.subscribe("cases", [TOPIC])
    assert not await again.poll(records_max=10, timeout_seconds=0.2)


async def test_a_partition_of_another_member_is_not_told(runtime):
    await publish(runtime, *"abcdefghij")
    await relay_all(runtime)
    one = await runtime.transport.subscribe("cases", [TOPIC])
    reports, consumer = Reports(one), consumer_of(runtime, Handler())
    reached = await consumer.consume_once(one)
    two = await runtime.transport.subscribe("cases", [TOPIC])
    again = await two.poll(records_max=10, timeout_seconds=1)
    assert again.keys() == reached.keys() & two.assigned
    await one.poll(records_max=1, timeout_seconds=0.1)  # and so learns of it
    assert reached.keys() > one.assigned & reached.keys()
    await reports.reached(reached)  # raises StaleMember, were theirs told, too


async def test_a_member_that_joins_while_a_batch_is_under_way_leaves_no_third_one(runtime):
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(tx, event, envelope):
        began.set()
        await go_on.wait()
        await Handler()(tx, event, envelope)

    await publish(runtime, *"abcdefghij")
    await relay_all(runtime)
    running = asyncio.create_task(consumer_of(runtime, slowly).run())
    async with asyncio.timeout(20):
        await began.wait()
        other = await runtime.transport.subscribe("cases", [TOPIC])
        go_on.set()
        await other.poll(records_max=10, timeout_seconds=0.1)
        while len(await effects(runtime)) < 10:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    with contextlib.closing(sqlite3.connect(runtime.settings.data_dir / "bus.sqlite3")) as log:
        assert log.execute("SELECT count(*) FROM members").fetchone() == (1,)


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


async def test_positions_never_go_back(runtime):
    await publish(runtime, *"abc", key=new_id())
    await relay_all(runtime)
    records, consumer = await records_of(runtime), consumer_of(runtime, Handler())
    for batch in (records, records[:1]):
        await consumer.handle_batch(batch)
    async with runtime.database.reading() as tx:
        assert list((await inbox.positions(tx, TABLES.bus, "cases")).values()) == [3]


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
    consumer = consumer_of(runtime, Handler())
    await consume_all(runtime, consumer)
    await consumer.handle_batch(await records_of(runtime))  # as when nobody was told how far it had come
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


async def test_of_two_relays_that_start_at_once_one_gets_the_lease(runtime):
    leases = [relay_of(runtime)._lease for _ in range(2)]
    assert sorted(await asyncio.gather(*(lease.take() for lease in leases))) == [False, True]


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


async def records_of(runtime):
    spans = {place: (0, end) for place, end in (await runtime.transport.ends([TOPIC])).items()}
    return [record async for records in runtime.transport.history(spans) for record in records]


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


async def test_a_worker_that_is_told_to_end_finishes_its_batch_and_begins_no_other(runtime, monkeypatch):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(tx, event, envelope):
        begun.set()
        await go_on.wait()
        await Handler()(tx, event, envelope)

    await publish(runtime, *map(str, range(150)))
    await relay_all(runtime)
    service = dataclasses.replace(runtime.service, listens_to=(TOPIC,), handlers={CaseReleased: slowly})
    monkeypatch.setattr(runtime, "service", service)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(runtime).run(stop))
    async with asyncio.timeout(20):
        await begun.wait()
        stop.set()
        await asyncio.sleep(0.1)
        go_on.set()
        await working
    assert len(await effects(runtime)) == 100


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


async def write_reason(tx, table, event, envelope):
    await tx.session.execute(insert(table).values(event_id=envelope.event_id, reason=event.reason))


async def publish_something(tx, table, event, envelope):
    tx.publish_as(event, subject=new_id(), version=1, key=event.case_id)


def rebuild_of(runtime, handler=write_reason):
    return Rebuild(
        Projection("effects", EFFECTS, {CaseReleased: handler}),
        consumer="cases",
        database=runtime.database,
        tables=TABLES.bus,
        transport=runtime.transport,
        topics=[TOPIC],
        business_now=runtime.business_now,
    )


async def test_a_rebuilt_projection_equals_the_live_one_while_events_go_on(runtime):
    consumer = consumer_of(runtime, Handler())
    await publish(runtime, *map(str, range(700)))
    await relay_all(runtime)
    await consume_all(runtime, consumer)
    await publish(runtime, *map(str, range(700, 1400)))
    await relay_all(runtime)
    rebuilt, _ = await asyncio.gather(rebuild_of(runtime).run(Context()), consume_all(runtime, consumer))
    assert 700 <= rebuilt.rows <= 1400
    assert sorted(map(int, await effects(runtime))) == list(range(1400))
    done = await rebuild_of(runtime).run(Context())
    assert (done.events, done.rows) == (1400, 1400)
    assert sorted(map(int, await effects(runtime))) == list(range(1400))


async def test_a_rebuild_publishes_nothing_and_leaves_the_live_one_when_it_fails(runtime):
    await publish(runtime, "a")
    await relay_all(runtime)
    await consume_all(runtime, consumer_of(runtime, Handler()))
    with pytest.raises(RuntimeError, match="nothing may be published"):
        await rebuild_of(runtime, publish_something).run(Context())
    assert await effects(runtime) == ["a"]
    assert (await rebuild_of(runtime).run(Context())).rows == 1


async def test_no_rebuild_while_events_are_parked(runtime):
    handler = Handler()
    handler.failing = {"bad"}
    await publish(runtime, "bad")
    await relay_all(runtime)
    await consume_all(runtime, consumer_of(runtime, handler))
    with pytest.raises(Conflict, match="Replay them first"):
        await rebuild_of(runtime).run(Context())


async def test_a_silent_consumer_is_made_anew_and_readiness_turns_red(runtime, monkeypatch):
    monkeypatch.setattr(watchdog, "LOOK_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(watchdog, "SILENT_SECONDS", 0.5)
    await publish(runtime, "a")
    await relay_all(runtime)
    real, members = runtime.transport.subscribe, []

    async def first_is_silent(group, topics):
        members.append(await real(group, topics))
        if len(members) == 1:

            async def nothing(**_limits):
                await asyncio.sleep(0.05)
                return {}

            members[0].poll = nothing
        return members[-1]

    monkeypatch.setattr(runtime.transport, "subscribe", first_is_silent)
    consumer = consumer_of(runtime, Handler())
    running = asyncio.create_task(consumer.run())
    async with asyncio.timeout(20):
        while consumer.watchdog.stalled_seconds < 0.4:
            await asyncio.sleep(0.01)
        runtime.watchdogs.append(consumer.watchdog)
        monkeypatch.setattr("shared.web.operations.NOT_READY_SECONDS", 0.3)
        monkeypatch.setattr("shared.migrations.newest_revision", lambda _: None)
        assert "no progress" in (await readiness(runtime))["consumer"]
        while await effects(runtime) != ["a"]:
            await asyncio.sleep(0.02)
    assert len(members) == 2
    assert CONSUMER_RECREATED.labels("cases")._value.get() >= 1
    running.cancel()
    await asyncio.wait([running])


async def test_idle_loops_ask_the_database_at_most_once_a_second(runtime):
    asked = Counter()
    await publish(runtime, "a")
    relay, consumer = relay_of(runtime), consumer_of(runtime, Handler())
    tasks = [asyncio.create_task(loop()) for loop in (relay.run, consumer.run)]
    while await effects(runtime) != ["a"]:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)

    def count(*_arguments):
        asked["begin"] += 1

    event.listen(runtime.database.engine.sync_engine, "begin", count)
    await asyncio.sleep(4)
    event.remove(runtime.database.engine.sync_engine, "begin", count)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    # In 4 s: the relay's look each second and its lease each 3.3 s; the watchdog's look each 5 s.
    assert 3 <= asked["begin"] <= 9
