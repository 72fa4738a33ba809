"""The bus of the distributed form: Apache Kafka through aiokafka, the only module that knows it.

acks=all and idempotence are on. A send that fails for good makes a new producer: the relay reads the outbox again,
and the inbox of each consumer sees to it that nothing happens twice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from shared.bus.kafka_topics import KafkaTopics, TopicsWrong, answering
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
from shared.clock import monotonic_seconds
from shared.events.registry import TOPICS, partitions_of
from shared.telemetry import BUS_DOWN, REBALANCES, Log, Throttled

REQUEST_TIMEOUT_MS = 20_000
ADMIN_TIMEOUT_MS = 10_000
SESSION_TIMEOUT_MS = 10_000
HISTORY_RECORDS_MAX = 500
NO_ACK_SECONDS = 5.0
CLOSE_SECONDS_MAX = 3.0
ABANDON_SECONDS_MAX = 1.0
TELL_EVERY_SECONDS = 60.0
UUID_BYTES = 36

_nine_words = Struct("<9I").unpack
_log = Log("kafka")


@dataclass(frozen=True, slots=True)
class Brokers:
    """Where the brokers are, how they know us, and how they must keep our topics."""

    bootstrap: str
    security: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    replication: int = 1
    min_insync: int = 1
    strict: bool = False

    @property
    def no_answer(self) -> str:
        """What is wrong where no client can be started. The client cannot tell silence from a refusal."""
        if not self.security.startswith("SASL"):
            return f"the Kafka brokers do not answer ({self.security})"
        return f"the Kafka brokers do not answer, or do not let {self.username} in ({self.security}, {self.mechanism})"

    def options(self, client: str) -> dict[str, Any]:
        """What every client of aiokafka is made with."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "client_id": client,
            "security_protocol": self.security,
        }
        if self.security.endswith("SSL"):
            options["ssl_context"] = create_ssl_context(
                cafile=self.ca_file, certfile=self.certificate_file, keyfile=self.key_file
            )
        if self.security.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


class _Reach:
    """Whether the brokers answer: one line a minute while they do not, and one when they do again."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._since: float | None = None
        self._trouble = Throttled(_log, TELL_EVERY_SECONDS)

    def lost(self, reason: str) -> None:
        self._since = self._since if self._since is not None else monotonic_seconds()
        BUS_DOWN.labels(self._client).set(1)
        self._trouble.warning("the brokers do not answer", service=self._client, reason=reason)

    def found(self) -> None:
        BUS_DOWN.labels(self._client).set(0)
        if self._since is not None:
            _log.info("the brokers answer again", service=self._client, seconds=monotonic_seconds() - self._since)
            self._since = None
            self._trouble = Throttled(_log, TELL_EVERY_SECONDS)

    def down(self, what: str, error: BaseException) -> TransportDown:
        """The exception to raise, once told."""
        self.lost(type(error).__name__)
        return TransportDown(f"{what}: {type(error).__name__}")


class KafkaTransport:
    """Producer, subscriptions and topics at one set of brokers."""

    def __init__(self, brokers: Brokers, *, client: str) -> None:
        self._brokers = brokers
        self._client = client
        self._reach = _Reach(client)
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
            await _quietly(admin)

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
                await _quietly(producer)
                raise self._reach.down(self._brokers.no_answer, error) from error
            self._producer = producer
        return self._producer

    async def append(self, messages: Sequence[Message]) -> None:
        refuse_unsendable(messages)
        producer = await self._producer_now()
        try:
            sent = [future async for future in _send_batches(producer, messages)]
            await self._acknowledged(asyncio.gather(*sent))
        except KafkaError as error:
            self._producer = None
            await _quietly(producer)
            raise self._reach.down("could not publish", error) from error
        except asyncio.CancelledError:
            # What was sent may still arrive, but nothing later: the next producer begins its own sequence.
            self._producer = None
            await _quietly(producer)
            raise

    async def _acknowledged(self, sent: "asyncio.Future[list[Any]]") -> None:
        """Wait for all acknowledgements, as long as it takes: an idempotent send never expires, and sending again on
        the same producer would double it."""
        sent.add_done_callback(_look_at)
        while not (await asyncio.wait([sent], timeout=NO_ACK_SECONDS))[0]:
            self._reach.lost("no acknowledgement")
        await sent
        self._reach.found()

    async def subscribe(self, group: str, topics: Sequence[str]) -> "KafkaSubscription":
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
        handover = _Handover(group)
        consumer.subscribe(list(topics), listener=handover)
        try:
            await consumer.start()
        except KafkaError as error:
            await _quietly(consumer)
            raise self._reach.down(self._brokers.no_answer, error) from error
        subscription = KafkaSubscription(self, consumer, handover, self._reach)
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: "KafkaSubscription") -> None:
        self._subscriptions.discard(subscription)

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
                    await _quietly(broken)
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
                    if records := [_record(record) for record in fetched if record.offset < left.get(place, 0)]:
                        yield records
                    if fetched[-1].offset + 1 >= left.get(place, 0):
                        left.pop(place, None)
                        reader.pause(place)
        except KafkaError as error:
            raise self._reach.down("could not read", error) from error
        finally:
            await _quietly(reader)

    async def close(self) -> None:
        self._closed = True
        for subscription in list(self._subscriptions):
            await subscription.close()
        for client in (self._producer, self._asker):
            if client is not None:
                await _quietly(client)


class _Handover(ConsumerRebalanceListener):  # type: ignore[misc]
    """Knows when partitions are being dealt out anew: aiokafka then still takes commits of what may be another's."""

    def __init__(self, group: str) -> None:
        self._group = group
        self.under_way = False

    async def on_partitions_revoked(self, revoked: object) -> None:
        REBALANCES.labels(self._group).inc()
        self.under_way = True

    async def on_partitions_assigned(self, assigned: object) -> None:
        self.under_way = False


class KafkaSubscription:
    """One member of a consumer group."""

    def __init__(
        self, transport: KafkaTransport, consumer: AIOKafkaConsumer, handover: _Handover, reach: _Reach
    ) -> None:
        self._transport = transport
        self._consumer = consumer
        self._handover = handover
        self._reach = reach

    async def poll(self, *, records_max: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        try:
            fetched = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=records_max)
        except KafkaError as error:
            raise self._reach.down("could not read", error) from error
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
            raise self._reach.down("could not store the position", error) from error

    async def seek(self, partition: Partition, offset: int) -> None:
        try:
            self._consumer.seek(TopicPartition(*partition), offset)
        except IllegalStateError as error:
            raise StaleMember(f"{partition.topic}/{partition.number} was taken over") from error

    @property
    def assigned(self) -> set[Partition]:
        return {Partition(place.topic, place.partition) for place in self._consumer.assignment()}

    async def close(self) -> None:
        self._transport.forget(self)
        await _quietly(self._consumer)


def partition_of(key: bytes, count: int) -> int:
    """Which of `count` partitions a key belongs to, by Kafka's own rule: every client puts it into the same one."""
    return ((_hash_of_id(key) if len(key) == UUID_BYTES else murmur2(key)) & 0x7FFFFFFF) % count


def _hash_of_id(key: bytes) -> int:
    """murmur2 of a UUID's 36 characters, which nearly all keys are: a third of the time that aiokafka's own takes."""
    digest = 0x9747B28C ^ UUID_BYTES
    for word in _nine_words(key):
        word = word * 0x5BD1E995 & 0xFFFFFFFF
        digest = (digest * 0x5BD1E995 ^ (word ^ word >> 24) * 0x5BD1E995) & 0xFFFFFFFF
    digest = (digest ^ digest >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return digest ^ digest >> 15


async def _send_batches(
    producer: AIOKafkaProducer, messages: Sequence[Message]
) -> AsyncIterator["asyncio.Future[Any]"]:
    """Hand the messages over, one batch a partition: much cheaper than one by one. Gives their acknowledgements."""
    topics = {message.topic for message in messages}
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in topics}
    batches: dict[Partition, Any] = {}
    for message in messages:
        key, there = message.key.encode(), partitions[message.topic]
        place = Partition(message.topic, there[partition_of(key, len(there))])
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        batch = batches.get(place)
        if batch is None or batch.append(timestamp=None, key=key, value=message.value, headers=headers) is None:
            if batch is not None:
                yield await producer.send_batch(batch, place.topic, partition=place.number)
            batches[place] = producer.create_batch()
            batches[place].append(timestamp=None, key=key, value=message.value, headers=headers)
    for place, batch in batches.items():
        yield await producer.send_batch(batch, place.topic, partition=place.number)


def _record(record: ConsumerRecord) -> Record:
    return Record(
        Partition(record.topic, record.partition),
        record.offset,
        (record.key or b"").decode(errors="replace"),
        {name: value.decode(errors="replace") for name, value in record.headers},
        record.value or b"",
    )


async def _quietly(client: Any) -> None:
    """Stop a client that may be broken already, or wait for a broker that is away; it is thrown away in any case.

    It stops in a task of its own: aiokafka's consumer may end its stop() with a CancelledError that nobody asked for.
    """
    stopping = asyncio.create_task(_farewell(client))
    stopping.add_done_callback(_look_at)
    try:
        await asyncio.wait([stopping], timeout=CLOSE_SECONDS_MAX)
    finally:
        await _abandon(client, [stopping, *_tasks_of(client)])


async def _farewell(client: Any) -> None:
    """A producer's own stop() would go on flushing in a task that nobody can end; the rest of it is in _abandon."""
    if isinstance(client, AIOKafkaAdminClient):
        await client.close()
    elif isinstance(client, AIOKafkaProducer):
        await client.flush()
    else:
        await client.stop()


def _tasks_of(client: Any) -> list["asyncio.Task[Any]"]:
    """What a client does in the background, as far as its stop() left it: a forgotten sender would send when the broker
    is back, and a forgotten heartbeat would keep partitions that nobody reads."""
    holders = [getattr(client, name, None) for name in ("_sender", "_coordinator", "_fetcher")]
    names = (
        "_sender_task",
        "_coordination_task",
        "_heartbeat_task",
        "_commit_refresh_task",
        "_reset_committed_task",
        "_fetch_task",
    )
    tasks = [getattr(holder, name, None) for holder in holders for name in names]
    return [task for task in tasks if task is not None] + list(getattr(holders[-1], "_pending_tasks", ()))


async def _abandon(client: Any, tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """End a client's tasks, however they end, and cut its connections."""
    producing = isinstance(client, AIOKafkaProducer)
    for task in tasks:
        if producing:
            task.remove_done_callback(client._sender._fail_all)
        task.cancel()
    await (client.client if producing else client._client).close()
    await asyncio.wait(tasks, timeout=ABANDON_SECONDS_MAX)
    client._closed = True


def _look_at(ended: "asyncio.Future[Any]") -> None:
    """That nobody asked for its error is no news."""
    if not ended.cancelled():
        ended.exception()
