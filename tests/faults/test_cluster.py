"""Three brokers, of which one dies under load: nothing lost, nothing doubled, order kept."""

import asyncio
import time

import pytest

from deploy.dev.kafka import kafka
from deploy.dev.processes import ServerMissing
from shared.bus.kafka.brokers import Brokers
from shared.bus.kafka.topics import Mend
from shared.bus.kafka.transport import KafkaTransport
from shared.events.registry import TOPICS
from tests.faults.actors import Actor, Orders
from tests.faults.checker import check
from tests.faults.scenarios import finish
from tests.faults.world import create
from tests.servers import missing, used


@pytest.fixture(scope="module")
def cluster(request):
    used(request, "three Kafka brokers")
    try:
        with kafka(nodes=3) as running:
            yield running
    except ServerMissing as error:
        missing(error)


@pytest.mark.slow
@pytest.mark.servers
async def test_topics_are_applied_and_checked_while_one_broker_is_away(cluster):
    brokers = Brokers(cluster.bootstrap, replication=3, min_insync=2, strict=True)
    transport = KafkaTransport(brokers, client="test")
    async with transport.topics() as topics:
        assert {each.mend for each in await topics.differences(list(TOPICS))} == {Mend.CREATE}
        await topics.mend(await topics.differences(list(TOPICS)))
        assert await topics.left(list(TOPICS)) == []
    await transport.start()
    await transport.close()
    cluster.kill(3)
    for _ in range(3):  # a start asks brokers at random, so also the one that is away
        async with asyncio.timeout(20):
            again = KafkaTransport(brokers, client="test")
            await again.start()
            await again.close()
    cluster.start(3)
    await asyncio.to_thread(cluster.wait_ready)


@pytest.mark.slow
@pytest.mark.servers
def test_one_broker_of_three_dies_under_load(cluster, tmp_path):
    world = asyncio.run(create(tmp_path, kafka=cluster.bootstrap, replication=3))
    writer = Actor(world, Orders("writer", count=600, pause_seconds=0.01))
    time.sleep(0.5)
    relay, consumer = (Actor(world, Orders(role, linger_seconds=8)) for role in ("relay", "consumer"))
    time.sleep(2)
    assert writer.alive, "the broker must die under load"
    cluster.kill(2)
    assert writer.wait() == 0
    time.sleep(5)
    cluster.start(2)
    assert (relay.wait(120), consumer.wait(120)) == (0, 0)
    finish(world)
    found = asyncio.run(check(world))
    assert found.kept, found
    assert found.committed > 500
