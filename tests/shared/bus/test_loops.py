"""The loops of a worker: one relay at a time, an orderly end, a silent consumer made anew, quiet while all is."""

import asyncio
import dataclasses
from collections import Counter

import pytest
from sqlalchemy import event

from shared.bus import watchdog
from shared.bus.lease import LeaseLost
from shared.bus.relay import outbox_pending
from shared.events.cases import TOPIC, CaseReleased
from shared.telemetry import CONSUMER_RECREATED
from shared.web.operations import readiness
from shared.worker import Worker
from tests.shared.bus.own_events import (
    TABLES,
    Handler,
    consume_all,
    consumer_of,
    effects,
    publish,
    relay_all,
    relay_of,
)


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


@pytest.mark.slow
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
