"""The wrapper of every event: CloudEvents 1.0 in Kafka's binary mode. Headers and bytes are frozen when an event
is written to the outbox; what is read back is checked against the registry before any handler sees it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.bodies import shown_path

CONTENT_TYPE = "application/json"
RETENTION_HEADER = "ce_retention"
E = TypeVar("E", bound="Event")


class Event(BaseModel):
    """A fact that happened. Subclasses are the payloads; `type` and `topic` are the contract with other services. An
    event `across_lenders` names no lender, so it is in no lender's log."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]
    topic: ClassVar[str]
    across_lenders: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ActorRef:
    """Who acted: a role and our own or the issuer's opaque id, never a name."""

    kind: str
    ref: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.ref}"

    @classmethod
    def parse(cls, text: str) -> Self:
        kind, _, ref = text.partition(":")
        return cls(kind, ref)


SYSTEM = ActorRef("system", "doorstep")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What surrounds an event's data. `sequence` counts the versions of the aggregate `subject`, from 1. `retention` is
    the id of the rule that says how long records of it are kept; events of older releases name none."""

    event_id: UUID
    source: str
    type: str
    occurred_at: datetime
    subject: UUID
    partition_key: UUID
    sequence: int
    actor: ActorRef
    correlation_id: str
    causation_id: str | None = None
    lender_id: str | None = None
    traceparent: str | None = None
    retention: str | None = None

    def headers(self) -> dict[str, str]:
        """The message headers, without those that are absent."""
        headers = {
            "content-type": CONTENT_TYPE,
            "ce_specversion": "1.0",
            "ce_id": str(self.event_id),
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_time": self.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce_subject": str(self.subject),
            "ce_dataschema": f"doorstep:schemas/{self.type}",
            "ce_partitionkey": str(self.partition_key),
            "ce_sequence": str(self.sequence),
            "ce_actor": str(self.actor),
            "ce_correlationid": self.correlation_id,
            "ce_causationid": self.causation_id,
            "ce_lenderid": self.lender_id,
            "ce_traceparent": self.traceparent,
            RETENTION_HEADER: self.retention,
        }
        return {name: value for name, value in headers.items() if value is not None}

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Read an envelope. Raises Undecodable, naming the header, where one is missing or malformed."""
        try:
            return cls(
                event_id=UUID(headers["ce_id"]),
                source=headers["ce_source"],
                type=headers["ce_type"],
                occurred_at=datetime.fromisoformat(headers["ce_time"]),
                subject=UUID(headers["ce_subject"]),
                partition_key=UUID(headers["ce_partitionkey"]),
                sequence=int(headers["ce_sequence"]),
                actor=ActorRef.parse(headers["ce_actor"]),
                correlation_id=headers["ce_correlationid"],
                causation_id=headers.get("ce_causationid"),
                lender_id=headers.get("ce_lenderid"),
                traceparent=headers.get("ce_traceparent"),
                retention=headers.get(RETENTION_HEADER),
            )
        except KeyError as missing:
            raise Undecodable(f"header {missing} is missing") from None
        except ValueError:
            raise Undecodable("a header is malformed: an id, a time or a number") from None


class Undecodable(Exception):
    """A message that is not one of our events: to the dead letters at once, since trying again cannot help. The message
    repeats no value of it: the trail keeps the reason for ever."""


_TYPE = re.compile(r"[a-z0-9.-]{1,100}")


def unknown_type(wire_type: str) -> Undecodable:
    """The error of a type that is not registered."""
    shown = wire_type if _TYPE.fullmatch(wire_type) else "(a name that is not repeated here)"
    return Undecodable(f"unknown event type {shown}")


def decode(kind: type[E], value: bytes) -> E:
    """The payload of a message. Raises Undecodable, naming the fields but quoting none of their values."""
    try:
        return kind.model_validate_json(value)
    except ValidationError as wrong:
        places = ", ".join(shown_path(error["loc"]) or "(whole)" for error in wrong.errors())
        raise Undecodable(f"the data does not fit {kind.type}: {places}") from None
