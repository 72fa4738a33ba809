"""Where the brokers are and how they know us; and whether they answer, of which one line a minute is enough."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context

from shared.bus.transport import TransportDown
from shared.clock import monotonic_seconds
from shared.telemetry import BUS_DOWN, Log, Throttled

TELL_EVERY_SECONDS = 60.0

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


class Reach:
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
