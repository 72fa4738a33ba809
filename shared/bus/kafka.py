"""The bus of the distributed form: Apache Kafka through aiokafka, the only module that knows it.

acks=all and idempotence are on. A send that fails for good makes a new producer: the relay reads the outbox again,
and the inbox of each consumer sees to it that nothing happens twice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.bus.transport import (
    Message,
    Partition,
    Record,
    StaleMember,
    TransportClosed,
    TransportDown,
    dead_letter_topic,
    refuse_unsendable,
)
from shared.events.registry import TOPICS, partitions_of

REQUEST_TIMEOUT_MS = 20_000
SESSION_TIMEOUT_MS = 10_000
HISTORY_RECORDS_MAX = 500


class KafkaTransport:
    """Producer, subscriptions and topics at one set of brokers."""

    def __init__(self, bootstrap: str, *, client: str, replication: int = 1) -> None:
        self._bootstrap = bootstrap
        self._client = client
        self._replication = replication
        self._producer: AIOKafkaProducer | None = None
        self._asker: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()
        self._subscriptions: set[KafkaSubscription] = set()
        self._closed = False

    async def start(self) -> None:
        await self._create_missing({topic.name: topic.partitions for topic in TOPICS.values()})
        await self._producer_now()

    async def _create_missing(self, topics: Mapping[str, int]) -> None:
        """Create the topics (name → partitions) that are not there yet, then check the partition counts."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, client_id=self._client)
        unlimited = {"retention.ms": "-1", "cleanup.policy": "delete"}
        try:
            await admin.start()
            there = set(await admin.list_topics())
            missing = [
                NewTopic(name, partitions, self._replication, topic_configs=unlimited)
                for name, partitions in topics.items()
                if name not in there
            ]
            if missing:
                await admin.create_topics(missing)  # another process may be first: the check is what counts
            await self._check_partitions(admin)
        except KafkaError as error:
            raise TransportDown(f"the Kafka brokers do not answer: {type(error).__name__}") from error
        finally:
            await admin.close()

    async def _check_partitions(self, admin: AIOKafkaAdminClient) -> None:
        """The key decides the partition, so another partition count would break the order of a case's events."""
        for description in await admin.describe_topics(list(TOPICS)):
            name, found = description["topic"], len(description["partitions"])
            if found and found != TOPICS[name].partitions:
                raise RuntimeError(f"topic {name} has {found} partitions, the registry says {TOPICS[name].partitions}")

    async def _producer_now(self) -> AIOKafkaProducer:
        if self._closed:
            raise TransportClosed("the bus is closed")
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                client_id=self._client,
                acks="all",
                enable_idempotence=True,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                max_batch_size=262_144,
            )
            try:
                await producer.start()
            except KafkaError as error:
                raise TransportDown(f"the Kafka brokers do not answer: {type(error).__name__}") from error
            self._producer = producer
        return self._producer

    async def append(self, messages: Sequence[Message]) -> None:
        refuse_unsendable(messages)
        producer = await self._producer_now()
        try:
            sent = [
                await producer.send(
                    message.topic,
                    key=message.key.encode(),
                    value=message.value,
                    headers=[(name, value.encode()) for name, value in message.headers.items()],
                )
                for message in messages
            ]
            await asyncio.gather(*sent)
        except KafkaError as error:
            self._producer = None
            await _quietly(producer.stop())
            raise TransportDown(f"could not publish: {type(error).__name__}") from error

    async def subscribe(self, group: str, topics: Sequence[str]) -> "KafkaSubscription":
        if self._closed:
            raise TransportClosed("the bus is closed")
        await self._create_missing({dead_letter_topic(topic, group): 1 for topic in topics})
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            fetch_max_wait_ms=100,
            isolation_level="read_committed",
        )
        handover = _Handover()
        consumer.subscribe(list(topics), listener=handover)
        try:
            await consumer.start()
        except KafkaError as error:
            await _quietly(consumer.stop())
            raise TransportDown(f"the Kafka brokers do not answer: {type(error).__name__}") from error
        subscription = KafkaSubscription(self, consumer, handover)
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: "KafkaSubscription") -> None:
        self._subscriptions.discard(subscription)

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        async with self._asking:
            try:
                if self._asker is None:
                    asker = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, client_id=f"{self._client}-ends")
                    await asker.start()
                    self._asker = asker
                there = set(topics) if TOPICS.keys() >= set(topics) else await self._asker.topics()
                places = [
                    TopicPartition(name, number)
                    for name in topics
                    if name in there
                    for number in range(partitions_of(name))
                ]
                ends = await self._asker.end_offsets(places)
            except KafkaError as error:
                broken, self._asker = self._asker, None
                if broken:
                    await _quietly(broken.stop())
                raise TransportDown(f"the Kafka brokers do not answer: {type(error).__name__}") from error
        return {Partition(place.topic, place.partition): offset for place, offset in ends.items()}

    async def history(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        left = {TopicPartition(*place): end for place, (start, end) in spans.items() if start < end}
        reader = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, client_id=f"{self._client}-history")
        try:
            await reader.start()
            reader.assign(list(left))
            for place in left:
                reader.seek(place, spans[Partition(place.topic, place.partition)][0])
            while left:
                for place, fetched in (await reader.getmany(timeout_ms=1000, max_records=HISTORY_RECORDS_MAX)).items():
                    if records := [_record(record) for record in fetched if record.offset < left.get(place, 0)]:
                        yield records
                    if fetched[-1].offset + 1 >= left.get(place, 0):
                        left.pop(place, None)
                        reader.pause(place)
        except KafkaError as error:
            raise TransportDown(f"could not read: {type(error).__name__}") from error
        finally:
            await _quietly(reader.stop())

    async def close(self) -> None:
        self._closed = True
        for subscription in list(self._subscriptions):
            await subscription.close()
        for client in (self._producer, self._asker):
            if client is not None:
                await _quietly(client.stop())


class _Handover(ConsumerRebalanceListener):  # type: ignore[misc]
    """Knows when partitions are being dealt out anew: aiokafka then still takes commits of what may be another's."""

    def __init__(self) -> None:
        self.under_way = False

    async def on_partitions_revoked(self, revoked: object) -> None:
        self.under_way = True

    async def on_partitions_assigned(self, assigned: object) -> None:
        self.under_way = False


class KafkaSubscription:
    """One member of a consumer group."""

    def __init__(self, transport: KafkaTransport, consumer: AIOKafkaConsumer, handover: _Handover) -> None:
        self._transport = transport
        self._consumer = consumer
        self._handover = handover

    async def poll(self, *, records_max: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        try:
            fetched = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=records_max)
        except KafkaError as error:
            raise TransportDown(f"could not read: {type(error).__name__}") from error
        return {
            Partition(place.topic, place.partition): [_record(record) for record in records]
            for place, records in fetched.items()
        }

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        if self._handover.under_way:
            raise StaleMember("the partitions are being dealt out anew")
        try:
            await self._consumer.commit({TopicPartition(*place): offset for place, offset in offsets.items()})
        except (
            CommitFailedError,
            IllegalGenerationError,
            IllegalStateError,
            RebalanceInProgressError,
            UnknownMemberIdError,
        ) as error:
            raise StaleMember(f"the partitions were taken over: {type(error).__name__}") from error
        except KafkaError as error:
            raise TransportDown(f"could not store the position: {type(error).__name__}") from error

    async def seek(self, partition: Partition, offset: int) -> None:
        self._consumer.seek(TopicPartition(*partition), offset)

    @property
    def assigned(self) -> set[Partition]:
        return {Partition(place.topic, place.partition) for place in self._consumer.assignment()}

    async def close(self) -> None:
        self._transport.forget(self)
        await _quietly(self._consumer.stop())


def _record(record: ConsumerRecord) -> Record:
    return Record(
        Partition(record.topic, record.partition),
        record.offset,
        (record.key or b"").decode(errors="replace"),
        {name: value.decode(errors="replace") for name, value in record.headers},
        record.value or b"",
    )


async def _quietly(stopping: object) -> None:
    """Stop a client that may be broken already; it is thrown away in any case."""
    try:
        await stopping  # type: ignore[misc]
    except (KafkaError, OSError, AssertionError):
        return
