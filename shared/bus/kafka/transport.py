"""Producer, subscriptions and topics at one set of brokers.

acks=all and idempotence are on. A send that fails for good makes a new producer: the relay reads the outbox again,
and the inbox of each consumer sees to it that nothing happens twice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.bus.kafka.brokers import Brokers, Reach
from shared.bus.kafka.ending import look_at, stop_for_good
from shared.bus.kafka.sending import send_batches
from shared.bus.kafka.subscription import Handover, KafkaSubscription, record_of
from shared.bus.kafka.topics import KafkaTopics, TopicsWrong, answering
from shared.bus.transport import (
    Message,
    Partition,
    Record,
    TransportClosed,
    dead_letter_topic,
    refuse_unsendable,
)
from shared.events.registry import TOPICS, partitions_of

REQUEST_TIMEOUT_MS = 20_000
ADMIN_TIMEOUT_MS = 10_000
SESSION_TIMEOUT_MS = 10_000
HISTORY_RECORDS_MAX = 500
NO_ACK_SECONDS = 5.0


class KafkaTransport:
    """The bus, as one process uses it."""

    def __init__(self, brokers: Brokers, *, client: str) -> None:
        self._brokers = brokers
        self._client = client
        self._reach = Reach(client)
        self._producer: AIOKafkaProducer | None = None
        self._asker: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()
        self._subscriptions: set[KafkaSubscription] = set()
        self._in_order: set[str] = set()
        self._closed = False

    async def start(self) -> None:
        await self._ensure_topics(list(TOPICS))
        await self._producer_now()

    @asynccontextmanager
    async def topics(self) -> AsyncIterator[KafkaTopics]:
        """The topics at the brokers, to be compared with the registry and mended."""
        admin = AIOKafkaAdminClient(**self._brokers.options(self._client), request_timeout_ms=ADMIN_TIMEOUT_MS)
        try:
            await answering(admin.start)
            yield KafkaTopics(
                admin,
                self._end_offsets,
                replication=self._brokers.replication,
                min_insync=self._brokers.min_insync,
            )
        except (KafkaError, TimeoutError) as error:
            raise self._reach.down(self._brokers.no_answer, error) from error
        finally:
            await stop_for_good(admin)

    async def _ensure_topics(self, names: Sequence[str]) -> None:
        """Create the topics that are not there yet. The key decides the partition, so another count of partitions would
        break the order of a case's events. In production nothing is created, and every difference is refused: topics
        are the operator's there. What was in order once is not asked for again: members join often."""
        names = [name for name in names if name not in self._in_order]
        if not names:
            return
        async with self.topics() as topics:
            if not self._brokers.strict:
                await topics.create_missing(names)
            found = await topics.differences(names)
        wrong = found if self._brokers.strict else [each for each in found if each.order_at_stake]
        if wrong:
            sentences = "\n".join(f"- {each.topic} {each.words}" for each in wrong)
            raise TopicsWrong(f"The topics are not as the registry says. Run `doorstep bus apply`:\n{sentences}")
        self._in_order.update(names)
        self._reach.found()

    async def _producer_now(self) -> AIOKafkaProducer:
        if self._closed:
            raise TransportClosed("the bus is closed")
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._brokers.options(self._client),
                acks="all",
                enable_idempotence=True,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                max_batch_size=262_144,
            )
            try:
                await producer.start()
            except KafkaError as error:
                await stop_for_good(producer)
                raise self._reach.down(self._brokers.no_answer, error) from error
            self._producer = producer
        return self._producer

    async def append(self, messages: Sequence[Message]) -> None:
        refuse_unsendable(messages)
        producer = await self._producer_now()
        try:
            sent = [future async for future in send_batches(producer, messages)]
            await self._acknowledged(asyncio.gather(*sent))
        except KafkaError as error:
            self._producer = None
            await stop_for_good(producer)
            raise self._reach.down("could not publish", error) from error
        except asyncio.CancelledError:
            # What was sent may still arrive, but nothing later: the next producer begins its own sequence.
            self._producer = None
            await stop_for_good(producer)
            raise

    async def _acknowledged(self, sent: "asyncio.Future[list[Any]]") -> None:
        """Wait for all acknowledgements, as long as it takes: an idempotent send never expires, and sending again on
        the same producer would double it."""
        sent.add_done_callback(look_at)
        while not (await asyncio.wait([sent], timeout=NO_ACK_SECONDS))[0]:
            self._reach.lost("no acknowledgement")
        await sent
        self._reach.found()

    async def subscribe(self, group: str, topics: Sequence[str]) -> KafkaSubscription:
        if self._closed:
            raise TransportClosed("the bus is closed")
        await self._ensure_topics([dead_letter_topic(topic, group) for topic in topics])
        consumer = AIOKafkaConsumer(
            **self._brokers.options(self._client),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            fetch_max_wait_ms=100,
            isolation_level="read_committed",
        )
        handover = Handover(group)
        consumer.subscribe(list(topics), listener=handover)
        try:
            await consumer.start()
        except KafkaError as error:
            await stop_for_good(consumer)
            raise self._reach.down(self._brokers.no_answer, error) from error
        subscription = KafkaSubscription(consumer, handover, self._reach, forget=self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        return await self._end_offsets({name: partitions_of(name) for name in topics})

    async def _end_offsets(self, partitions: Mapping[str, int]) -> dict[Partition, int]:
        """The end of each partition of some topics (name → count); of those that exist."""
        async with self._asking:
            try:
                if self._asker is None:
                    self._asker = AIOKafkaConsumer(**self._brokers.options(f"{self._client}-ends"))
                    await self._asker.start()
                there = set(partitions) if TOPICS.keys() >= partitions.keys() else await self._asker.topics()
                places = [
                    TopicPartition(name, number)
                    for name, count in partitions.items()
                    if name in there
                    for number in range(count)
                ]
                ends = await self._asker.end_offsets(places)
            except KafkaError as error:
                broken, self._asker = self._asker, None
                if broken:
                    await stop_for_good(broken)
                raise self._reach.down(self._brokers.no_answer, error) from error
        self._reach.found()
        return {Partition(place.topic, place.partition): offset for place, offset in ends.items()}

    async def history(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        left = {TopicPartition(*place): end for place, (start, end) in spans.items() if start < end}
        reader = AIOKafkaConsumer(**self._brokers.options(f"{self._client}-history"))
        try:
            await reader.start()
            reader.assign(list(left))
            for place in left:
                reader.seek(place, spans[Partition(place.topic, place.partition)][0])
            while left:
                for place, fetched in (await reader.getmany(timeout_ms=1000, max_records=HISTORY_RECORDS_MAX)).items():
                    if records := [record_of(record) for record in fetched if record.offset < left.get(place, 0)]:
                        yield records
                    if fetched[-1].offset + 1 >= left.get(place, 0):
                        left.pop(place, None)
                        reader.pause(place)
        except KafkaError as error:
            raise self._reach.down("could not read", error) from error
        finally:
            await stop_for_good(reader)

    async def close(self) -> None:
        self._closed = True
        for subscription in list(self._subscriptions):
            await subscription.close()
        for client in (self._producer, self._asker):
            if client is not None:
                await stop_for_good(client)
