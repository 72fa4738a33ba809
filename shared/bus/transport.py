"""The port of the bus: what a relay and a consumer need of Kafka, or of the SQLite log of the embedded form.

Both transports pass the same contract suite (tests/contracts). A message's bytes and headers are never changed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """Something to append: the key decides the partition."""

    topic: str
    key: str
    headers: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """Something appended, at its place. Header values that are not UTF-8 are read with replacement characters."""

    partition: Partition
    offset: int
    key: str
    headers: Mapping[str, str]
    value: bytes


def dead_letter_topic(topic: str, group: str) -> str:
    """Where a group puts the records of a topic that it cannot read."""
    return f"{topic}.{group}.dlq"


class TransportClosed(Exception):
    """Used after close()."""


class StaleMember(Exception):
    """This member no longer owns the partition: another took over, and its commit counts."""


class TransportDown(Exception):
    """The broker cannot be reached now; wait and try again."""


MESSAGE_BYTES_MAX = 1_000_000
UTF8_BYTES_MAX = 4  # of a character


class Unsendable(Exception):
    """Messages that no broker will ever take, by their places in what was to be appended. None of it was appended."""

    def __init__(self, places: Sequence[int], reason: str) -> None:
        super().__init__(reason)
        self.places = places


def refuse_unsendable(messages: Sequence[Message]) -> None:
    """Raises Unsendable where a message is larger than Kafka's own limit, which both transports keep."""
    too_large = [place for place, message in enumerate(messages) if _is_too_large(message)]
    if too_large:
        raise Unsendable(too_large, f"larger than {MESSAGE_BYTES_MAX} bytes")


def _is_too_large(message: Message) -> bool:
    texts = (message.key, *message.headers, *message.headers.values())
    if len(message.value) + UTF8_BYTES_MAX * sum(map(len, texts)) <= MESSAGE_BYTES_MAX:
        return False  # nearly always, and cheaper than to encode it all
    return len(message.value) + sum(len(text.encode()) for text in texts) > MESSAGE_BYTES_MAX


class Subscription(Protocol):
    """One member of a consumer group. Positions start at the group's committed offsets, else at the beginning."""

    async def poll(self, *, records_max: int, timeout_seconds: float) -> dict[Partition, list[Record]]: ...

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Store the next offset of each partition. Raises StaleMember where the partition was taken over."""

    async def seek(self, partition: Partition, offset: int) -> None: ...

    @property
    def assigned(self) -> set[Partition]:
        """The partitions that this member owns now."""

    async def close(self) -> None: ...


class Transport(Protocol):
    """A durable, partitioned log."""

    async def start(self) -> None:
        """Connect, create missing topics of the registry and check the partition counts of those that exist."""

    async def append(self, messages: Sequence[Message]) -> None:
        """Returns when all are durable, in this order within each partition. Raises Unsendable where that cannot be."""

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription: ...

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        """The offset after the last record of every partition."""

    def history(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        """The records of each partition from the first offset up to, but without, the second; as no group's member."""

    async def close(self) -> None: ...
