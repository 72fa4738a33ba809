"""A projection made anew from the log equals the live one, publishes nothing, and waits for no one but the parked."""

import asyncio

import pytest
from sqlalchemy import insert

from shared.bus.projections import Projection, Rebuild
from shared.database import Context
from shared.errors import Conflict
from shared.events.cases import TOPIC, CaseReleased
from shared.ids import new_id
from tests.shared.bus.own_events import (
    EFFECTS,
    TABLES,
    Handler,
    consume_all,
    consumer_of,
    effects,
    publish,
    relay_all,
)


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
    with pytest.raises(Conflict, match="run them first"):
        await rebuild_of(runtime).run(Context())
