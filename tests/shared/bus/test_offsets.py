"""What the broker is told of how far a consumer came, and what comes of telling it late: everything may come again."""

import asyncio
import contextlib
import sqlite3

from shared.bus import inbox
from shared.bus.reports import Reports
from shared.events.cases import TOPIC
from shared.ids import new_id
from tests.shared.bus.own_events import (
    TABLES,
    Handler,
    consumer_of,
    effects,
    publish,
    records_of,
    relay_all,
)


async def test_a_consumer_tells_how_far_it_came_when_it_ends(runtime):
    consumer = consumer_of(runtime, Handler())
    running = asyncio.create_task(consumer.run())
    for reason in ("a", "b", "c"):  # the last ones within the second in which it tells once
        await publish(runtime, reason)
        await relay_all(runtime)
        async with asyncio.timeout(10):
            while reason not in await effects(runtime):
                await asyncio.sleep(0.01)
    async with consumer.under_way:  # as a worker drains it: its batch is over, not only committed
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


async def test_positions_never_go_back(runtime):
    await publish(runtime, *"abc", key=new_id())
    await relay_all(runtime)
    records, consumer = await records_of(runtime), consumer_of(runtime, Handler())
    for batch in (records, records[:1]):
        await consumer.handle_batch(batch)
    async with runtime.database.reading() as tx:
        assert list((await inbox.positions(tx, TABLES.bus, "cases")).values()) == [3]
