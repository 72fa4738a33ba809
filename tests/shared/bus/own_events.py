"""A service that listens to its own events: what it publishes, what its handler does, and what that leaves behind."""

import asyncio

from sqlalchemy import Column, MetaData, Table, Text, Uuid, insert, select
from sqlalchemy.orm import registry as mapper_registry

from shared.bus.consumer import Consumer
from shared.bus.relay import Relay
from shared.events.cases import TOPIC, CaseReleased
from shared.ids import new_id
from shared.runtime import service_tables
from shared.tenants import owned

METADATA = MetaData()
TABLES = service_tables(METADATA)
EFFECTS = Table(
    "effect",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("reason", Text, nullable=False),
    **owned(tenant=None, because="A table of tests."),
)


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


async def records_of(runtime):
    spans = {place: (0, end) for place, end in (await runtime.transport.ends([TOPIC])).items()}
    return [record async for records in runtime.transport.history(spans) for record in records]
