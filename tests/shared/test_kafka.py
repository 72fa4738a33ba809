"""Kafka in production: topics held to the registry; TLS and passwords; brokers that go away."""

import asyncio
import dataclasses
import json
import logging

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.dev.kafka import PASSWORD, USERNAME, kafka
from deploy.dev.processes import ServerMissing, free_port
from services.cli.main import app
from shared.bus.kafka.brokers import Brokers
from shared.bus.kafka.sending import partition_of
from shared.bus.kafka.topics import Mend, TopicsWrong
from shared.bus.kafka.transport import KafkaTransport
from shared.bus.transport import Message, TransportDown
from shared.events.registry import TOPICS
from shared.runtime import brokers_of
from shared.settings import Settings, SettingsRefused
from shared.telemetry import BUS_DOWN
from tests.servers import missing, used

TOPIC = "cases.case.v1"
MESSAGE = Message(TOPIC, "k", {"ce_id": "1"}, b"{}")


@pytest.fixture(scope="module")
def own_kafka(request):
    """A Kafka whose topics and whose life are these tests' own."""
    used(request, "a real Kafka")
    try:
        with kafka() as cluster:
            yield cluster
    except ServerMissing as error:
        missing(error)


@pytest.fixture(scope="module")
def secured_kafka(request):
    used(request, "a real Kafka with TLS and passwords")
    try:
        with kafka(secured=True) as cluster:
            yield cluster
    except ServerMissing as error:
        missing(error)


@pytest.fixture
async def admin(own_kafka):
    client = AIOKafkaAdminClient(bootstrap_servers=own_kafka.bootstrap)
    await client.start()
    while topics := [name for name in await client.list_topics() if not name.startswith("__")]:
        await client.delete_topics(topics)
        await asyncio.sleep(0.1)
    yield client
    await client.close()


async def differences(brokers):
    transport = KafkaTransport(brokers, client="test")
    try:
        async with transport.topics() as topics:
            return await topics.differences(list(TOPICS))
    finally:
        await transport.close()


async def seen(brokers, *mends):
    """The differences as soon as there are such ones, or none at all: a broker learns of a change a moment later."""
    async with asyncio.timeout(20):
        while True:
            found = await differences(brokers)
            kinds = {each.mend for each in found}
            if kinds >= set(mends) if mends else not kinds:
                return found
            await asyncio.sleep(0.1)


async def mend(brokers):
    transport = KafkaTransport(brokers, client="test")
    try:
        async with transport.topics() as topics:
            await topics.mend(await topics.differences(list(TOPICS)))
    finally:
        await transport.close()


pytestmark = pytest.mark.servers


@settings(deadline=None)
@given(st.one_of(st.uuids().map(lambda key: str(key).encode()), st.binary(min_size=1, max_size=50)), st.integers(1, 12))
def test_a_key_goes_where_every_client_of_kafka_puts_it(key, count):
    there = list(range(count))
    assert partition_of(key, count) == DefaultPartitioner()(key, there, there)


async def test_missing_topics_are_created_as_the_registry_says(own_kafka, admin):
    brokers = Brokers(own_kafka.bootstrap)
    assert {each.mend for each in await differences(brokers)} == {Mend.CREATE}
    await mend(brokers)
    assert await seen(brokers) == []


async def test_another_retention_is_mended_and_others_settings_are_kept(own_kafka, admin):
    brokers = Brokers(own_kafka.bootstrap)
    settings = {"retention.ms": "1000", "segment.bytes": "2000000", "min.insync.replicas": "1"}
    await admin.create_topics([NewTopic(TOPIC, 6, 1, topic_configs=settings)])
    await seen(brokers, Mend.CREATE, Mend.CONFIGURE)
    await mend(brokers)
    assert await seen(brokers) == []
    async with KafkaTransport(brokers, client="test").topics() as topics:
        kept = await topics._configs([TOPIC], only_set=True)
    assert kept[TOPIC]["segment.bytes"] == "2000000"
    assert kept[TOPIC]["retention.ms"] == "-1"


async def test_partitions_are_never_taken_away_and_only_added_while_empty(own_kafka, admin):
    brokers = Brokers(own_kafka.bootstrap)
    await admin.create_topics([NewTopic(TOPIC, 7, 1)])
    [found] = [each for each in await seen(brokers, Mend.REFUSE) if each.order_at_stake]
    assert (found.mend, "cannot be taken away" in found.words) == (Mend.REFUSE, True)
    with pytest.raises(TopicsWrong, match="doorstep bus apply"):
        await KafkaTransport(brokers, client="test").start()
    await admin.delete_topics([TOPIC])
    await asyncio.sleep(0.3)
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    [found] = [each for each in await seen(brokers, Mend.GROW) if each.order_at_stake]
    assert found.mend is Mend.GROW
    transport = KafkaTransport(brokers, client="test")
    await transport.append([MESSAGE])
    await transport.close()
    [found] = [each for each in await seen(brokers, Mend.REFUSE) if each.order_at_stake]
    assert (found.mend, "order of a case's events" in found.words) == (Mend.REFUSE, True)


async def test_production_refuses_any_difference(own_kafka, admin):
    brokers = Brokers(own_kafka.bootstrap, strict=True)
    await mend(brokers)
    again = KafkaTransport(brokers, client="test")
    await again.start()
    with pytest.raises(TopicsWrong, match=r"cases\.case\.v1\.readers\.dlq is missing"):
        await again.subscribe("readers", [TOPIC])
    await again.close()
    settings = {"retention.ms": "1000", "min.insync.replicas": "1"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, settings)])
    await seen(brokers, Mend.CONFIGURE)
    with pytest.raises(TopicsWrong, match=r"retention\.ms=1000, should have -1"):
        await KafkaTransport(brokers, client="test").start()


async def test_production_creates_nothing(own_kafka, admin):
    with pytest.raises(TopicsWrong, match="Run `doorstep bus apply`"):
        await KafkaTransport(Brokers(own_kafka.bootstrap, strict=True), client="test").start()
    assert not [name for name in await admin.list_topics() if not name.startswith("__")]


async def test_what_the_brokers_refuse_is_said_in_their_words(own_kafka, admin):
    with pytest.raises(TopicsWrong, match=r"cannot be created: .*[Rr]eplica"):
        await mend(Brokers(own_kafka.bootstrap, replication=3))


async def test_the_command_shows_mends_and_refuses(own_kafka, admin, monkeypatch):
    monkeypatch.setenv("DOORSTEP_KAFKA_BOOTSTRAP", own_kafka.bootstrap)
    await admin.create_topics([NewTopic(TOPIC, 7, 1)])

    def run(*arguments):
        return asyncio.to_thread(CliRunner().invoke, app, ["bus", "apply", *arguments])

    first = await run("--yes")
    assert first.exit_code == 1
    assert "create" in first.output
    assert "has 7 partitions, the registry says 6" in first.output
    await admin.delete_topics([TOPIC])
    await asyncio.sleep(0.3)
    assert (await run("--yes")).exit_code == 0
    again = await run()
    assert again.exit_code == 0
    assert "are as the registry says" in again.output
    assert json.loads((await run("--json")).stdout) == []


def apply(*arguments):
    return CliRunner().invoke(app, ["bus", "apply", *arguments])


def test_the_command_without_brokers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shared.bus.kafka.topics.ANSWER_SECONDS_MAX", 0.5)
    embedded = apply()
    assert (embedded.exit_code, "nothing to apply" in embedded.output) == (0, True)
    assert json.loads(apply("--json").stdout) == []
    monkeypatch.setenv("DOORSTEP_KAFKA_BOOTSTRAP", f"127.0.0.1:{free_port()}")
    away = apply("--yes")
    assert (away.exit_code, "brokers do not answer" in away.output) == (3, True)


def test_settings_that_do_not_fit_name_what_is_missing(tmp_path):
    settings = Settings(kafka_security="SASL_SSL", kafka_ca_file=tmp_path / "ca.pem")
    with pytest.raises(SettingsRefused) as refused:
        brokers_of(settings, "localhost:1")
    for name in ("KAFKA_USERNAME", "KAFKA_PASSWORD_FILE", "KAFKA_CA_FILE"):
        assert f"DOORSTEP_{name}" in str(refused.value)


def secured(cluster, **changes):
    brokers = Brokers(
        cluster.bootstrap, security="SASL_SSL", username=USERNAME, password=PASSWORD, ca_file=cluster.ca_file
    )
    return dataclasses.replace(brokers, **changes)


async def test_brokers_that_ask_for_tls_and_a_password(secured_kafka):
    transport = KafkaTransport(secured(secured_kafka), client="test")
    await transport.start()
    await transport.append([MESSAGE])
    subscription = await transport.subscribe("readers", [TOPIC])
    got = {}
    while not got:
        got = await subscription.poll(records_max=1, timeout_seconds=1)
    assert [record.value for records in got.values() for record in records] == [b"{}"]
    assert sum((await transport.ends([TOPIC])).values()) == 1
    await transport.close()


NOT_LET_IN = [
    ({"password": "wrong"}, "do not let doorstep in"),
    ({"security": "PLAINTEXT"}, "do not answer .PLAINTEXT."),
    ({"security": "SASL_PLAINTEXT"}, "SASL_PLAINTEXT"),
    ({"ca_file": None}, "SASL_SSL"),
]


@pytest.mark.parametrize(("change", "words"), NOT_LET_IN, ids=str)
async def test_who_is_not_let_in_is_told_so(secured_kafka, monkeypatch, change, words):
    monkeypatch.setattr("shared.bus.kafka.topics.ANSWER_SECONDS_MAX", 1.0)
    transport = KafkaTransport(secured(secured_kafka, **change), client="test")
    with pytest.raises(TransportDown, match=words):
        await asyncio.wait_for(transport.start(), 60)
    await transport.close()


def test_no_password_is_ever_shown(tmp_path):
    assert PASSWORD not in repr(Brokers("localhost:1", password=PASSWORD))


@pytest.mark.slow
async def test_brokers_that_are_away_are_one_line_and_a_metric(own_kafka, monkeypatch, caplog):
    monkeypatch.setattr("shared.bus.kafka.transport.NO_ACK_SECONDS", 0.5)
    caplog.set_level(logging.INFO, logger="doorstep.kafka")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    transport = KafkaTransport(Brokers(own_kafka.bootstrap), client="away")
    await transport.start()
    own_kafka.kill(1)
    sending = asyncio.create_task(transport.append([MESSAGE]))
    for _ in range(4):
        await asyncio.sleep(0.5)
        with pytest.raises(TransportDown):
            await transport.ends([TOPIC])
    assert BUS_DOWN.labels("away")._value.get() == 1
    own_kafka.start(1)
    await asyncio.to_thread(own_kafka.wait_ready)
    await asyncio.wait_for(sending, 60)
    assert BUS_DOWN.labels("away")._value.get() == 0
    lines = [record.getMessage() for record in caplog.records if record.name.startswith(("doorstep", "aiokafka"))]
    assert lines == ["the brokers do not answer", "the brokers answer again"]
    await transport.close()


@pytest.mark.slow
async def test_closing_does_not_wait_for_brokers_that_are_away(own_kafka):
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    transport = KafkaTransport(Brokers(own_kafka.bootstrap), client="away")
    await transport.start()
    subscription = await transport.subscribe("readers", [TOPIC])
    await transport.append([MESSAGE])
    while not await subscription.poll(records_max=1000, timeout_seconds=1):
        pass
    ends = sum((await transport.ends([TOPIC])).values())
    before = asyncio.all_tasks()
    own_kafka.kill(1)
    sending = asyncio.create_task(transport.append([MESSAGE]))
    await asyncio.sleep(0.5)
    sending.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await sending
        await transport.close()
    left = [task for task in asyncio.all_tasks() & before if task is not asyncio.current_task()]
    assert not left, "a client that was closed goes on"
    own_kafka.start(1)
    await asyncio.to_thread(own_kafka.wait_ready)
    await asyncio.sleep(2)
    again = KafkaTransport(Brokers(own_kafka.bootstrap), client="away")
    assert sum((await again.ends([TOPIC])).values()) == ends, "what was cancelled arrived when the broker came back"
    await again.close()
