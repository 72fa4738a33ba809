"""An Apache Kafka (KRaft) for tests and the distributed demo: one node or several, as Java processes on free ports.

The jars come from Maven's repository once and are kept in the cache folder.
"""

import logging
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
USERNAME, PASSWORD, MECHANISM = "doorstep", "only-on-loopback", "SCRAM-SHA-512"
_SECURED = """sasl.enabled.mechanisms={mechanism}
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
"""
# How soon the others notice that a node is gone; set together.
_QUICK_ELECTIONS = """broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
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
    secured: bool = False
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
                child.wait_ready(
                    lambda: answers(self.bootstrap, len(self.children), **self.options), "Kafka", READY_SECONDS_MAX
                )

    @property
    def ca_file(self) -> Path:
        """By which a client knows a secured cluster."""
        return self.folder / "ca.pem"

    @property
    def options(self) -> dict[str, Any]:
        """What a client of aiokafka needs to be let in, besides the addresses."""
        if not self.secured:
            return {}
        return {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": USERNAME,
            "sasl_plain_password": PASSWORD,
            "ssl_context": create_ssl_context(cafile=self.ca_file),
        }


def _java() -> list[str]:
    folder = jars()
    return [*_JAVA, f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}", "-cp", f"{folder}/*"]


@contextmanager
def kafka(*, nodes: int = 1, secured: bool = False) -> Iterator[Kafka]:
    """Start a cluster of nodes, each broker and controller, and end it. `secured`: it takes nobody without TLS and a
    password (SCRAM)."""
    java = _java()
    folder = temporary_folder("kafka")
    cluster = Kafka(folder, {node: (free_port(), free_port()) for node in range(1, nodes + 1)}, secured)
    try:
        cluster_id = subprocess.run(
            [*java, "kafka.tools.StorageTool", "random-uuid"], capture_output=True, check=True, text=True
        ).stdout.split()[-1]
        if secured:
            _write_certificates(folder)
        for node in cluster.listeners:
            properties = folder / f"{node}.properties"
            properties.write_text(_properties(node, cluster))
            format_ = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)]
            if secured:
                format_ += ["--add-scram", f"{MECHANISM}=[name={USERNAME},password={PASSWORD}]"]
            formatted = subprocess.run([*java, *format_], capture_output=True, check=False, text=True)
            if formatted.returncode:
                raise ServerMissing(f"Kafka's storage cannot be formatted: {formatted.stdout[-500:]}")
            cluster.start(node)
        cluster.wait_ready()
        say(f"Kafka {VERSION} is up at {cluster.bootstrap}")
        yield cluster
    finally:
        for child in cluster.children.values():
            child.kill()  # nothing of it is kept
        shutil.rmtree(folder, ignore_errors=True)


def _properties(node: int, cluster: Kafka) -> str:
    client, controller = cluster.listeners[node]
    voters = ",".join(f"{n}@127.0.0.1:{port}" for n, (_, port) in cluster.listeners.items())
    copies = min(3, len(cluster.listeners))
    protocol = "SASL_SSL" if cluster.secured else "PLAINTEXT"
    inside = f",INSIDE://127.0.0.1:{free_port()}" if cluster.secured else ""
    more = _SECURED.format(folder=cluster.folder, mechanism=MECHANISM) if cluster.secured else ""
    more += _QUICK_ELECTIONS if copies > 1 else ""
    return f"""process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}{inside}
advertised.listeners=CLIENT://127.0.0.1:{client}{inside}
listener.security.protocol.map=CLIENT:{protocol},CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT
inter.broker.listener.name={"INSIDE" if cluster.secured else "CLIENT"}
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
{more}"""


def _write_certificates(folder: Path) -> None:
    """A certificate authority of one hour, and the brokers' certificate by it."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doorstep test authority")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
    )
    root = (
        certificate.subject_name(issuer)
        .public_key(authority.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    broker = (
        certificate.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8 = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "broker.pem").write_bytes(pkcs8 + broker.public_bytes(pem))


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


def answers(bootstrap: str, brokers: int, **options: Any) -> bool:
    """Whether the brokers answer by protocol, and all of them are in: an open port is not ready."""

    async def look() -> bool:
        client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3_000, **options)
        try:
            await client.start()
            known = await client.describe_cluster()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            with suppress(KafkaError, OSError):
                await client.close()
        return len(known["brokers"]) >= brokers

    return ask(look())
