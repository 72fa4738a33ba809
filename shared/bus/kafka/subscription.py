"""A member of a consumer group: it reads, and stores a position only while its partitions are its own."""

from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.bus.kafka.brokers import Reach
from shared.bus.kafka.ending import stop_for_good
from shared.bus.transport import Partition, Record, StaleMember
from shared.telemetry import REBALANCES


class Handover(ConsumerRebalanceListener):  # type: ignore[misc]
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
        self,
        consumer: AIOKafkaConsumer,
        handover: Handover,
        reach: Reach,
        *,
        forget: Callable[["KafkaSubscription"], object],
    ) -> None:
        self._consumer = consumer
        self._handover = handover
        self._reach = reach
        self._forget = forget

    async def poll(self, *, records_max: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        try:
            fetched = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=records_max)
        except KafkaError as error:
            raise self._reach.down("could not read", error) from error
        return {
            Partition(place.topic, place.partition): [record_of(record) for record in records]
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
        self._forget(self)
        await stop_for_good(self._consumer)


def record_of(record: ConsumerRecord) -> Record:
    return Record(
        Partition(record.topic, record.partition),
        record.offset,
        (record.key or b"").decode(errors="replace"),
        {name: value.decode(errors="replace") for name, value in record.headers},
        record.value or b"",
    )
