"""A topic that is not what it was stops the trail with an alarm, on a real Kafka: nothing is taken or reset."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from sqlalchemy import func, select

from services.audit.attestations.sequencing import attested
from services.audit.trail.sequencer import positions
from services.audit.trail.tables import ENTRY
from shared.telemetry import TRAIL_BROKEN
from tests.faults import trail
from tests.faults.scenarios import forget_topics
from tests.faults.trail_world import SequencerActor, Teller, database_of
from tests.faults.world import opened

PATIENCE_SECONDS = 40


async def halted(world):
    """Let a sequencer run until it has stopped with an alarm. Returns how many entries there are, and its positions."""
    async with opened(world.runtime()) as runtime:
        TRAIL_BROKEN.set(0)
        sequencing = asyncio.create_task(attested(runtime).sequencer.run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while TRAIL_BROKEN._value.get() != 1:
                assert not sequencing.done(), sequencing.exception()
                await asyncio.sleep(0.1)
        sequencing.cancel()
        await asyncio.wait([sequencing])
    return await state(world)


async def state(world):
    async with database_of(world) as runtime, runtime.database.reading() as tx:
        entries = await tx.session.scalar(
            select(func.count()).select_from(ENTRY).where(ENTRY.c.aggregate_id.is_not(None))
        )
        return entries, await positions(tx)


async def cut(world, reached):
    """Remove the oldest records of a partition, that taken last and the one after it among them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        place = max(reached, key=reached.__getitem__)
        offset = reached[place]
        await admin.delete_records({TopicPartition(*place): RecordsToDelete(before_offset=offset + 1)})
    finally:
        await admin.close()


@pytest.fixture
def taken(own_servers, tmp_path):
    """A trail that has taken 60 events, and who told them."""
    world = trail.distributed(tmp_path, own_servers)
    teller = Teller(world)
    teller.tell(60)
    assert SequencerActor(world).wait() == 0
    return world, teller


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("told_again", [0, 20, 300], ids=["empty", "shorter", "longer"])
def test_a_topic_made_anew_stops_it(taken, own_servers, told_again):
    world, teller = taken
    before = asyncio.run(state(world))
    asyncio.run(forget_topics(own_servers.kafka.bootstrap))
    if told_again:
        teller.tell(told_again)
    assert asyncio.run(halted(world)) == before
    assert asyncio.run(halted(world)) == before  # and again after a restart


@pytest.mark.slow
@pytest.mark.servers
def test_records_that_are_not_there_any_more_stop_it(taken):
    world, teller = taken
    before = asyncio.run(state(world))
    teller.tell(60)
    asyncio.run(cut(world, before[1]))
    entries, reached = asyncio.run(halted(world))
    place = max(before[1], key=before[1].__getitem__)
    assert reached[place] == before[1][place]
    assert before[0] <= entries < 120
