"""The topics at the brokers, held to the registry: partitions, copies, retention. Missing ones are created; what
differs is shown first, and mended where that can be done without breaking the order of a case's events.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from shared.bus.transport import Partition, TransportDown, dead_letter_topic
from shared.events.registry import TOPICS, partitions_of

ANSWER_SECONDS_MAX = 15.0
_SET_ON_THE_TOPIC = 1  # where a topic's setting comes from, in Kafka's protocol


Ends = Callable[[Mapping[str, int]], Awaitable[Mapping[Partition, int]]]


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
        """Create what is not there yet. Another process may be first."""
        there = set(await self._admin.list_topics())
        missing = [
            NewTopic(name, partitions_of(name), self._replication, topic_configs=self._config)
            for name in names
            if name not in there
        ]
        if missing:
            answer = await self._admin.create_topics(missing)
            for name, code, *_ in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise TransportDown(f"the topic {name} cannot be created: error {code} of the brokers")

    async def differences(self, names: Iterable[str]) -> list[Difference]:
        """How the topics differ from the registry, in the registry's order."""
        names = list(names)
        there = set(await self._admin.list_topics())
        answers = await self._admin.describe_topics([name for name in names if name in there])
        described = {answer["topic"]: answer for answer in answers}
        configs = await self._configs(list(described))
        found: list[Difference] = []
        for name in names:
            if name not in described:
                words = f"is missing: {partitions_of(name)} partitions, {self._replication} copies"
                found.append(Difference(name, Mend.CREATE, words))
                continue
            found += await self._shape(name, described[name]["partitions"])
            for key, value in self._config.items():
                if configs[name].get(key) != value:
                    words = f"has {key}={configs[name].get(key)}, should have {value}"
                    found.append(Difference(name, Mend.CONFIGURE, words))
        return found

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
        asked = [ConfigResource(ConfigResourceType.TOPIC, name, configs=None) for name in names]
        found: dict[str, dict[str, str]] = {}
        for answer in await self._admin.describe_configs(asked):
            for _code, _message, _kind, name, entries in answer.resources:
                found[name] = {entry[0]: entry[1] for entry in entries if not only_set or entry[3] == _SET_ON_THE_TOPIC}
        return found

    async def mend(self, differences: Iterable[Difference]) -> None:
        """Do what can be done; what is refused stays as it is."""
        by_mend: dict[Mend, set[str]] = {mend: set() for mend in Mend}
        for difference in differences:
            by_mend[difference.mend].add(difference.topic)
        await self.create_missing(sorted(by_mend[Mend.CREATE]))
        if by_mend[Mend.GROW]:
            await self._admin.create_partitions(
                {name: NewPartitions(partitions_of(name)) for name in sorted(by_mend[Mend.GROW])}
            )
        changing = sorted(by_mend[Mend.CONFIGURE])
        if changing:
            # The request replaces all settings of a topic: those that others made must be sent along.
            kept = await self._configs(changing, only_set=True)
            await self._admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name, {**kept[name], **self._config}) for name in changing]
            )


async def answering(start: Any) -> None:
    """Start a client of the brokers. A broker that is just coming up gets some seconds; then TransportDown."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + ANSWER_SECONDS_MAX
    while True:
        try:
            await start()
            return
        except KafkaError as error:
            if not error.retriable or loop.time() > ends:
                raise TransportDown(f"the Kafka brokers do not answer: {type(error).__name__}") from error
            await asyncio.sleep(0.5)
