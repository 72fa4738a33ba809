"""The topics at the brokers, held to the registry: partitions, copies, retention. Missing ones are created; what
differs is shown first, and mended where that can be done without breaking the order of a case's events.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.bus.transport import Partition, dead_letter_topic
from shared.events.registry import TOPICS, partitions_of

ANSWER_SECONDS_MAX = 15.0
SETTLE_SECONDS_MAX = 10.0
ASK_AGAIN_SECONDS = 0.5
_SET_ON_THE_TOPIC = 1  # where a topic's setting comes from, in Kafka's protocol

Ends = Callable[[Mapping[str, int]], Awaitable[Mapping[Partition, int]]]
Answer = TypeVar("Answer")


class TopicsWrong(Exception):
    """The topics are not as the registry says, and a service that used them could break the order of events."""


class Mend(StrEnum):
    """What `doorstep bus apply` does about a difference."""

    CREATE = "create"
    GROW = "grow"
    CONFIGURE = "configure"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a topic is, and what it should be, in words. With another count of partitions, the order of a case's events
    is at stake."""

    topic: str
    mend: Mend
    words: str
    order_at_stake: bool = False


def topics_of(groups: Mapping[str, Iterable[str]]) -> list[str]:
    """Every topic of the registry, and the dead letters of each group (name → topics that it listens to)."""
    letters = [dead_letter_topic(topic, group) for group, topics in groups.items() for topic in topics]
    return [*TOPICS, *letters]


class KafkaTopics:
    """The topics of a cluster, through one admin client."""

    def __init__(self, admin: AIOKafkaAdminClient, ends: Ends, *, replication: int, min_insync: int) -> None:
        self._admin = admin
        self._ends = ends
        self._replication = replication
        self._config = {
            "retention.ms": "-1",
            "cleanup.policy": "delete",
            "min.insync.replicas": str(min_insync),
        }

    async def create_missing(self, names: Iterable[str]) -> None:
        """Create what is not there yet. Another process may be first. Raises TopicsWrong where the brokers refuse."""
        there = set(await answering(self._admin.list_topics))
        missing = [
            NewTopic(name, partitions_of(name), self._replication, topic_configs=self._config)
            for name in names
            if name not in there
        ]
        if missing:
            answer = await answering(lambda: self._admin.create_topics(missing))
            for name, code, *reason in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise TopicsWrong(f"The topic {name} cannot be created: {_refusal(code, *reason)}")

    async def differences(self, names: Iterable[str]) -> list[Difference]:
        """How the topics differ from the registry, in the registry's order."""
        names = list(names)
        described = await answering(lambda: self._described(names))
        configs = await self._configs(list(described))
        found: list[Difference] = []
        for name in names:
            if name not in described:
                words = f"is missing: {partitions_of(name)} partitions, {self._replication} copies"
                found.append(Difference(name, Mend.CREATE, words))
                continue
            found += await self._shape(name, described[name])
            for key, value in self._config.items():
                if configs[name].get(key) != value:
                    words = f"has {key}={configs[name].get(key)}, should have {value}"
                    found.append(Difference(name, Mend.CONFIGURE, words))
        return found

    async def left(self, names: Sequence[str]) -> list[Difference]:
        """What still differs after mending. A broker learns of a change a moment later: look more than once."""
        ends = asyncio.get_running_loop().time() + SETTLE_SECONDS_MAX
        while True:
            found = await self.differences(names)
            settled = all(each.mend is Mend.REFUSE for each in found)
            if settled or asyncio.get_running_loop().time() > ends:
                return found
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _described(self, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """The partitions of those topics that are there. Raises where a broker does not know them well yet."""
        answers = [answer for answer in await self._admin.describe_topics() if answer["topic"] in names]
        for answer in answers:
            _raise_for(answer["error_code"])
        return {answer["topic"]: answer["partitions"] for answer in answers}

    async def _shape(self, name: str, partitions: list[dict[str, Any]]) -> list[Difference]:
        found = []
        wanted, there = partitions_of(name), len(partitions)
        if there > wanted:
            words = f"has {there} partitions, the registry says {wanted}. They cannot be taken away: make a new topic"
            found.append(Difference(name, Mend.REFUSE, words, order_at_stake=True))
        if there < wanted and await self._has_records(name, there):
            words = (
                f"has {there} partitions, the registry says {wanted}, and it has records already: more partitions "
                "would break the order of a case's events. Make a new topic and move the history there"
            )
            found.append(Difference(name, Mend.REFUSE, words, order_at_stake=True))
        elif there < wanted:
            found.append(
                Difference(name, Mend.GROW, f"has {there} partitions, should have {wanted}; it is empty", True)
            )
        copies = min(len(partition["replicas"]) for partition in partitions)
        if copies != self._replication:
            words = f"has {copies} copies, should have {self._replication}. Move them with kafka-reassign-partitions"
            found.append(Difference(name, Mend.REFUSE, words))
        return found

    async def _has_records(self, name: str, partitions: int) -> bool:
        return any((await self._ends({name: partitions})).values())

    async def _configs(self, names: list[str], *, only_set: bool = False) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = await answering(lambda: self._described_configs(names))
        return {
            name: {entry[0]: entry[1] for entry in entries if not only_set or entry[3] == _SET_ON_THE_TOPIC}
            for _code, _message, _kind, name, entries in resources
        }

    async def _described_configs(self, names: list[str]) -> list[Any]:
        asked = [ConfigResource(ConfigResourceType.TOPIC, name, configs=None) for name in names]
        resources = [each for answer in await self._admin.describe_configs(asked) for each in answer.resources]
        for code, *_ in resources:
            _raise_for(code)
        return resources

    async def mend(self, differences: Iterable[Difference]) -> None:
        """Do what can be done; what is refused stays as it is. Raises TopicsWrong where the brokers refuse a change."""
        by_mend: dict[Mend, set[str]] = {mend: set() for mend in Mend}
        for difference in differences:
            by_mend[difference.mend].add(difference.topic)
        await self.create_missing(sorted(by_mend[Mend.CREATE]))
        if by_mend[Mend.GROW]:
            more = {name: NewPartitions(partitions_of(name)) for name in sorted(by_mend[Mend.GROW])}
            await answering(lambda: self._admin.create_partitions(more))
        changing = sorted(by_mend[Mend.CONFIGURE])
        if changing:
            # The request replaces all settings of a topic: those that others made must be sent along.
            kept = await self._configs(changing, only_set=True)
            wanted = [
                ConfigResource(ConfigResourceType.TOPIC, name, {**kept[name], **self._config}) for name in changing
            ]
            for answer in await answering(lambda: self._admin.alter_configs(wanted)):
                for code, reason, _kind, name in answer.resources:
                    if code:
                        raise TopicsWrong(f"The settings of {name} cannot be changed: {_refusal(code, reason)}")


def _raise_for(code: int) -> None:
    if code:
        raise for_code(code)


def _refusal(code: int, reason: str | None = None) -> str:
    """Why the brokers refused, in their words."""
    return reason or str(for_code(code).__name__)


async def answering(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """What the brokers answer. One that is away or just coming up gets some seconds, and the others are asked; then the
    client's error is raised."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + ANSWER_SECONDS_MAX
    while True:
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable or loop.time() > ends:
                raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)
