"""An Apache Kafka (KRaft) for tests and the distributed demo: one node or several, as Java processes on free ports.

The jars come from Maven's repository once and are kept in the cache folder.
"""

import logging
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.dev.processes import Child, ServerMissing, ask, cache, free_port, install, say, temporary_folder

VERSION = "4.3.1"
HINT = "Kafka needs Java 17 and Maven: install Debian's packages openjdk-17-jre-headless and maven"
READY_SECONDS_MAX = 90
_DEPENDENCIES = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
)
_POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>doorstep</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    {dependencies}
  </dependencies>
</project>
"""
_LOG4J = """Configuration:
  Appenders: {Console: {name: out, target: SYSTEM_OUT, PatternLayout: {pattern: "%d %p %c: %m%n"}}}
  Loggers: {Root: {level: warn, AppenderRef: {ref: out}}}
"""
# Small heaps: the log cleaner alone wants 128 MB unless it is told otherwise.
_JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def jars() -> Path:
    """The folder of Kafka's jars, fetched on first use."""
    install(["openjdk-17-jre-headless"], "java", HINT)
    folder = cache() / f"kafka-{VERSION}"
    if (folder / "complete").exists():
        return folder
    install(["maven"], "mvn", HINT)
    say(f"fetching Kafka {VERSION} (54 MB, once) …")
    folder.mkdir(parents=True, exist_ok=True)
    tags = ("groupId", "artifactId", "version")
    wanted = [
        "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, dependency, strict=True))
        for dependency in _DEPENDENCIES
    ]
    listed = "\n    ".join(f"<dependency>{each}</dependency>" for each in wanted)
    (folder / "pom.xml").write_text(_POM.replace("{dependencies}", listed))
    fetched = subprocess.run(
        [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(folder / "pom.xml"),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={folder}",
        ],
        capture_output=True,
        check=False,
    )
    if fetched.returncode:
        raise ServerMissing(f"Maven could not fetch Kafka: {fetched.stdout.decode(errors='replace')[-800:]}")
    (folder / "log4j2.yaml").write_text(_LOG4J)
    (folder / "complete").touch()
    return folder


@dataclass(slots=True)
class Kafka:
    """A running cluster; nodes are numbered from 1."""

    folder: Path
    listeners: dict[int, tuple[int, int]]
    children: dict[int, Child] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{client}" for client, _ in self.listeners.values())

    def start(self, node: int) -> None:
        command = [*_java(), "kafka.Kafka", str(self.folder / f"{node}.properties")]
        self.children[node] = Child(command, log=self.folder / f"{node}.log", cwd=self.folder)

    def kill(self, node: int) -> None:
        """SIGKILL one node; `start` brings it back with its data."""
        self.children[node].kill()

    def wait_ready(self) -> None:
        with _quiet_client():
            for child in self.children.values():
                child.wait_ready(lambda: answers(self.bootstrap), "Kafka", READY_SECONDS_MAX)


def _java() -> list[str]:
    folder = jars()
    return [*_JAVA, f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}", "-cp", f"{folder}/*"]


@contextmanager
def kafka(*, nodes: int = 1) -> Iterator[Kafka]:
    """Start a cluster of nodes, each broker and controller, and end it."""
    java = _java()
    folder = temporary_folder("kafka")
    cluster = Kafka(folder, {node: (free_port(), free_port()) for node in range(1, nodes + 1)})
    try:
        cluster_id = subprocess.run(
            [*java, "kafka.tools.StorageTool", "random-uuid"], capture_output=True, check=True, text=True
        ).stdout.split()[-1]
        for node in cluster.listeners:
            properties = folder / f"{node}.properties"
            properties.write_text(_properties(node, cluster))
            format_ = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)]
            formatted = subprocess.run([*java, *format_], capture_output=True, check=False, text=True)
            if formatted.returncode:
                raise ServerMissing(f"Kafka's storage cannot be formatted: {formatted.stdout[-500:]}")
            cluster.start(node)
        cluster.wait_ready()
        say(f"Kafka {VERSION} is up at {cluster.bootstrap}")
        yield cluster
    finally:
        for child in cluster.children.values():
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _properties(node: int, cluster: Kafka) -> str:
    client, controller = cluster.listeners[node]
    voters = ",".join(f"{n}@127.0.0.1:{port}" for n, (_, port) in cluster.listeners.items())
    copies = min(3, len(cluster.listeners))
    return f"""process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{client}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={cluster.folder}/{node}
auto.create.topics.enable=false
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=3
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr=1
min.insync.replicas={max(1, copies - 1)}
default.replication.factor={copies}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.cleaner.dedupe.buffer.size=8388608
"""


@contextmanager
def _quiet_client() -> Iterator[None]:
    """That a starting broker refuses connections is no news; the client would say so many times a second."""
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def answers(bootstrap: str) -> bool:
    """Whether the brokers answer by protocol: an open port is not ready."""

    async def look() -> bool:
        client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3_000)
        try:
            await client.start()
            await client.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            with suppress(KafkaError, OSError):
                await client.close()
        return True

    return ask(look())
