"""The contract of the bus's transports: one suite, on the embedded log and on a real Apache Kafka."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest

from shared.bus.embedded import EmbeddedTransport
from shared.bus.kafka.brokers import Brokers
from shared.bus.kafka.transport import KafkaTransport
from shared.bus.transport import Message, Record, StaleMember, Subscription, Transport, TransportClosed
from shared.events.registry import TOPICS, Topic
from shared.ids import new_id

PATIENCE_SECONDS = 30


class Bus:
    """A topic of its own on one of the transports; `again` connects anew, as a restarted process does."""

    def __init__(self, topic: str, connect) -> None:
        self.topic = topic
        self._connect = connect
        self._opened: list[Transport] = []

    async def again(self) -> Transport:
        transport = self._connect()
        await transport.start()
        self._opened.append(transport)
        return transport

    def message(self, key: str, number: int) -> Message:
        return Message(self.topic, key, {"ce_id": f"{key}/{number}", "ce_actor": "系統:é"}, f"值 {number}".encode())

    async def close(self) -> None:
        for transport in self._opened:
            await transport.close()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.servers)])
async def bus(request, tmp_path, monkeypatch) -> AsyncIterator[Bus]:
    topic = f"test.{new_id().hex}"
    monkeypatch.setitem(TOPICS, topic, Topic(topic, "cases", 4))
    if request.param == "kafka":
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        bus = Bus(topic, lambda: KafkaTransport(Brokers(bootstrap), client="test"))
    else:
        bus = Bus(topic, lambda: EmbeddedTransport(tmp_path / "bus.sqlite3"))
    yield bus
    await bus.close()


async def read(subscription: Subscription, count: int) -> list[Record]:
    """Read until `count` records have come."""
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(records) < count:
            for batch in (await subscription.poll(records_max=500, timeout_seconds=1)).values():
                records += batch
    return records


async def nothing_more(subscription: Subscription) -> bool:
    return not await subscription.poll(records_max=10, timeout_seconds=0.5)


def next_offsets(records: list[Record]) -> dict:
    return {record.partition: record.offset + 1 for record in sorted(records, key=lambda record: record.offset)}


async def test_bytes_and_headers_arrive_intact(bus):
    transport = await bus.again()
    sent = bus.message("k", 1)
    await transport.append([sent])
    [record] = await read(await transport.subscribe("g", [bus.topic]), 1)
    assert (record.key, record.value, dict(record.headers)) == (sent.key, sent.value, dict(sent.headers))


async def test_order_holds_per_key_over_fifty_keys_and_five_thousand_events(bus):
    transport = await bus.again()
    for start in range(0, 5_000, 500):
        await transport.append([bus.message(f"key-{n % 50}", n) for n in range(start, start + 500)])
    records = await read(await transport.subscribe("g", [bus.topic]), 5_000)
    seen = defaultdict(list)
    for record in records:
        seen[record.key].append(int(record.headers["ce_id"].split("/")[1]))
    assert len(seen) == 50
    assert all(numbers == list(range(numbers[0], 5_000, 50)) for numbers in seen.values())


async def test_each_group_gets_everything(bus):
    transport = await bus.again()
    await transport.append([bus.message(f"k{n}", n) for n in range(20)])
    for group in ("one", "two"):
        assert len(await read(await transport.subscribe(group, [bus.topic]), 20)) == 20


async def test_members_of_a_group_share(bus):
    one, two = await bus.again(), await bus.again()
    members = [await one.subscribe("g", [bus.topic]), await two.subscribe("g", [bus.topic])]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(len(member.assigned) == 2 for member in members):
            for member in members:
                await member.poll(records_max=1, timeout_seconds=0.1)
    assert members[0].assigned.isdisjoint(members[1].assigned)
    await one.append([bus.message(f"k{n}", n) for n in range(100)])
    shares: list[list[Record]] = [[], []]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(map(len, shares)) < 100:
            for share, member in zip(shares, members, strict=True):
                for batch in (await member.poll(records_max=500, timeout_seconds=0.2)).values():
                    share += batch
    assert all(shares)
    assert len({record.headers["ce_id"] for share in shares for record in share}) == 100


async def test_what_was_not_committed_comes_again(bus):
    transport = await bus.again()
    await transport.append([bus.message("k", n) for n in range(10)])
    first = await transport.subscribe("g", [bus.topic])
    records = await read(first, 10)
    await first.commit(next_offsets(records[:4]))
    await first.close()
    again = await read(await transport.subscribe("g", [bus.topic]), 6)
    assert [record.offset for record in again] == [4, 5, 6, 7, 8, 9]


async def test_a_restart_resumes_and_a_new_group_reads_from_the_start(bus):
    transport = await bus.again()
    await transport.append([bus.message("k", n) for n in range(3)])
    subscription = await transport.subscribe("g", [bus.topic])
    await subscription.commit(next_offsets(await read(subscription, 3)))
    await transport.close()
    restarted = await bus.again()
    await restarted.append([bus.message("k", 3)])
    [record] = await read(await restarted.subscribe("g", [bus.topic]), 1)
    assert record.offset == 3
    assert len(await read(await restarted.subscribe("new", [bus.topic]), 4)) == 4


async def test_seek_goes_back(bus):
    transport = await bus.again()
    await transport.append([bus.message("k", n) for n in range(3)])
    subscription = await transport.subscribe("g", [bus.topic])
    records = await read(subscription, 3)
    await subscription.seek(records[1].partition, 1)
    assert [record.offset for record in await read(subscription, 2)] == [1, 2]


async def test_the_ends_tell_how_much_there_is(bus):
    transport = await bus.again()
    await transport.append([bus.message(f"k{n}", n) for n in range(25)])
    ends = await transport.ends([bus.topic])
    assert len(ends) == 4
    assert sum(ends.values()) == 25


async def test_publishing_after_close_raises(bus):
    transport = await bus.again()
    await transport.close()
    with pytest.raises(TransportClosed):
        await transport.append([bus.message("k", 1)])
    with pytest.raises(TransportClosed):
        await transport.subscribe("g", [bus.topic])


async def test_a_member_that_lost_its_partitions_cannot_commit(bus):
    one, two = await bus.again(), await bus.again()
    await one.append([bus.message(f"k{n}", n) for n in range(40)])
    stale = await one.subscribe("g", [bus.topic])
    records = await read(stale, 40)
    other = await two.subscribe("g", [bus.topic])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not other.assigned:
            await other.poll(records_max=1, timeout_seconds=0.1)
    lost = {place: offset for place, offset in next_offsets(records).items() if place in other.assigned}
    assert lost
    with pytest.raises(StaleMember):
        await stale.commit(lost)
