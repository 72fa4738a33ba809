"""The leaf: the bytes of one entry, as they are hashed, stored and handed out for ever.
Its one rule: a leaf has exactly one spelling. What `decode` accepts, `encode` writes again byte for byte; and it
holds references, codes and commitments, never personal data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import cast
from uuid import UUID

from services.audit.tlog.canonical import canonical, parse_canonical

LEAF_BYTES_MAX = 65_535
LEAF_VERSION = 1
_CLIENT_DIGEST = b"doorstep/client/v1\x00"
is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch


class LeafTooLarge(ValueError):
    """A leaf above LEAF_BYTES_MAX; `size` is its bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a leaf of {size} bytes; at most {LEAF_BYTES_MAX} fit")
        self.size = size


class NotALeaf(ValueError):
    """Bytes or values that are no leaf; the text names the field, never its value."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: a kind (role) and an opaque id, never a name."""

    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom or what the entry is about; the `n`-th entry (from 1) of `ref` in this log, after leaf hash `prev`."""

    ref: str
    n: int
    prev: bytes | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or (self.prev is None) != (self.n == 1):
            raise NotALeaf("subjects: the first has no prev, every later one has")
        if self.prev is not None and len(self.prev) != 32:
            raise NotALeaf("subjects.prev is not a hash of 32 bytes")


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the event happened to, and the version that it made (from 1): a gap shows an event that never came."""

    id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file, by its SHA-256 in lower-case hex, with its size in bytes."""

    digest: str
    media_type: str
    size: int

    def __post_init__(self) -> None:
        if not is_sha256(self.digest) or self.size < 0:
            raise NotALeaf("evidence: the digest is not SHA-256 in hex, or the size is negative")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the record was read from."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry. `priv` maps a field to its commitment (canonical.commitment); `data` is JSON of the profile.

    `aggregate` and `source` are None for entries that the trail writes by itself. Times need an offset; they are kept
    in UTC to the microsecond. Raises NotALeaf for a time without one, or a commitment that is not 64 hex digits.
    """

    log: str
    type: str
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    action: str
    outcome: str
    retention: str
    correlation_id: str
    causation_id: str | None = None
    subjects: tuple[Subject, ...] = ()
    aggregate: Aggregate | None = None
    evidence: tuple[Evidence, ...] = ()
    priv: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    v: int = LEAF_VERSION

    def __post_init__(self) -> None:
        if self.v != LEAF_VERSION:
            raise NotALeaf(f"v is not {LEAF_VERSION}")
        if self.occurred_at.tzinfo is None or self.recorded_at.tzinfo is None:
            raise NotALeaf("a time without offset")
        for commitment in self.priv.values():
            if not is_sha256(commitment):
                raise NotALeaf("priv holds something that is not a commitment")


def encode(leaf: Leaf) -> bytes:
    """The leaf's bytes, canonical JSON of at most LEAF_BYTES_MAX.

    Raises LeafTooLarge, or NotCanonical with the path of a value outside the profile.
    """
    aggregate, source = leaf.aggregate, leaf.source
    encoded = canonical(
        {
            "v": leaf.v,
            "log": leaf.log,
            "type": leaf.type,
            "eventId": str(leaf.event_id),
            "occurredAt": instant(leaf.occurred_at),
            "recordedAt": instant(leaf.recorded_at),
            "actor": {"kind": leaf.actor.kind, "ref": leaf.actor.ref},
            "action": leaf.action,
            "outcome": leaf.outcome,
            "subjects": [
                {"ref": each.ref, "n": each.n, "prev": None if each.prev is None else each.prev.hex()}
                for each in leaf.subjects
            ],
            "aggregate": aggregate and {"id": str(aggregate.id), "version": aggregate.version},
            "evidence": [
                {"digest": each.digest, "mediaType": each.media_type, "size": each.size} for each in leaf.evidence
            ],
            "priv": leaf.priv,
            "retention": leaf.retention,
            "source": source and {"topic": source.topic, "partition": source.partition, "offset": source.offset},
            "correlationId": leaf.correlation_id,
            "causationId": leaf.causation_id,
            "data": leaf.data,
        }
    )
    if len(encoded) > LEAF_BYTES_MAX:
        raise LeafTooLarge(len(encoded))
    return encoded


def decode(data: bytes) -> Leaf:
    """The leaf of stored bytes. Raises LeafTooLarge, NotCanonical, or NotALeaf for a missing or ill-typed field.

    Whatever it returns encodes to the very same bytes.
    """
    if len(data) > LEAF_BYTES_MAX:
        raise LeafTooLarge(len(data))
    fields = _Fields(parse_canonical(data), "leaf")
    leaf = Leaf(
        v=fields.integer("v"),
        log=fields.text("log"),
        type=fields.text("type"),
        event_id=_uuid(fields.text("eventId")),
        occurred_at=_time(fields.text("occurredAt")),
        recorded_at=_time(fields.text("recordedAt")),
        actor=_actor(fields.section("actor")),
        action=fields.text("action"),
        outcome=fields.text("outcome"),
        subjects=tuple(_subject(each) for each in fields.sections("subjects")),
        aggregate=_aggregate(fields),
        evidence=tuple(_evidence(each) for each in fields.sections("evidence")),
        priv=fields.section("priv").texts(),
        retention=fields.text("retention"),
        source=_source(fields),
        correlation_id=fields.text("correlationId"),
        causation_id=None if fields.is_null("causationId") else fields.text("causationId"),
        data=fields.section("data").whole,
    )
    if encode(leaf) != data:
        raise NotALeaf("the bytes hold a further field, or another spelling of an id or a time")
    return leaf


def client_digest(event_type: str, event_id: str, payload: bytes) -> bytes:
    """The 32-byte SHA-256 over what the publisher sent: the same event id with another digest is a conflict.

    SHA-256("doorstep/client/v1" 0x00 ‖ id in 16 bytes ‖ length of the type as uint32 ‖ type ‖ payload). The payload is
    the event's data in canonical form, as it stands in the leaf: so the digest can be derived again.
    """
    kind, id = event_type.encode(), bytes.fromhex(event_id.replace("-", ""))
    return sha256(_CLIENT_DIGEST + id + len(kind).to_bytes(4, "big") + kind + payload).digest()


def instant(moment: datetime) -> str:
    """A time as it stands in leaves and columns: UTC, microseconds, Z; so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


class _Fields:
    """A decoded JSON object, whose fields are read by type; the errors name the field."""

    def __init__(self, value: object, place: str) -> None:
        if type(value) is not dict:
            raise NotALeaf(f"{place} is not an object")
        self.whole = cast(dict[str, object], value)
        self._place = place

    def texts(self) -> dict[str, str]:
        return {name: self.text(name) for name in self.whole}

    def is_null(self, name: str) -> bool:
        return self._value(name) is None

    def text(self, name: str) -> str:
        value = self._value(name)
        if type(value) is not str:
            raise NotALeaf(f"{self._place}.{name} is not text")
        return value

    def integer(self, name: str) -> int:
        value = self._value(name)
        if type(value) is not int:
            raise NotALeaf(f"{self._place}.{name} is not an integer")
        return value

    def section(self, name: str) -> "_Fields":
        return _Fields(self._value(name), f"{self._place}.{name}")

    def sections(self, name: str) -> "list[_Fields]":
        value = self._value(name)
        if type(value) is not list:
            raise NotALeaf(f"{self._place}.{name} is not a list")
        return [_Fields(each, f"{self._place}.{name}") for each in value]

    def _value(self, name: str) -> object:
        try:
            return self.whole[name]
        except KeyError:
            raise NotALeaf(f"{self._place}.{name} is missing") from None


def _actor(fields: _Fields) -> Actor:
    return Actor(fields.text("kind"), fields.text("ref"))


def _subject(fields: _Fields) -> Subject:
    prev = None if fields.is_null("prev") else _hash(fields.text("prev"))
    return Subject(fields.text("ref"), fields.integer("n"), prev)


def _aggregate(fields: _Fields) -> Aggregate | None:
    if fields.is_null("aggregate"):
        return None
    inner = fields.section("aggregate")
    return Aggregate(_uuid(inner.text("id")), inner.integer("version"))


def _evidence(fields: _Fields) -> Evidence:
    return Evidence(fields.text("digest"), fields.text("mediaType"), fields.integer("size"))


def _source(fields: _Fields) -> Source | None:
    if fields.is_null("source"):
        return None
    inner = fields.section("source")
    return Source(inner.text("topic"), inner.integer("partition"), inner.integer("offset"))


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NotALeaf("a time is not RFC 3339") from None


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotALeaf("an id is not a UUID") from None


def _hash(text: str) -> bytes:
    if not is_sha256(text):
        raise NotALeaf("subjects.prev is not 64 hex digits")
    return bytes.fromhex(text)
