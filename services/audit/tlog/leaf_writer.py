"""The fast way to a leaf's bytes: written at once in their one spelling, around what is known last: when the entry was
recorded and its place among those of its subjects. Its one rule: it writes what leaf.encode writes, byte for byte (a
property test holds it to that).
"""

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring as quote
from typing import NamedTuple

from services.audit.tlog.canonical import NotCanonical, canonical
from services.audit.tlog.leaf import LEAF_VERSION, NotALeaf, is_sha256

Counted = tuple[str, int, bytes | None]


class Unplaced(NamedTuple):
    """A leaf's bytes up to the time of its recording, those up to its subjects, and those after them."""

    before: bytes
    between: bytes
    after: bytes


def spell(
    *,
    log: str,
    type: str,
    event_id: str,
    occurred_at: str,
    actor: tuple[str, str],
    action: str,
    outcome: str,
    retention: str,
    correlation_id: str,
    causation_id: str | None = None,
    aggregate: tuple[str, int] | None = None,
    source: tuple[str, int, int] | None = None,
    evidence: Sequence[tuple[str, str, int]] = (),
    priv: Mapping[str, str] | None = None,
    data: bytes,
) -> Unplaced:
    """Everything of a leaf but its place. Ids and times come as they are spelled: UUIDs in lower case, UTC with
    microseconds and Z; data in canonical form. Raises NotALeaf or NotCanonical where leaf.encode would."""
    if not all(map(is_sha256, (priv or {}).values())):
        raise NotALeaf("priv holds something that is not a commitment")
    try:
        before = (
            f'{{"action":{quote(action)},"actor":{{"kind":{quote(actor[0])},"ref":{quote(actor[1])}}}'
            f',"aggregate":{_aggregate(aggregate)},"causationId":{_text(causation_id)}'
            f',"correlationId":{quote(correlation_id)},"data":{data.decode()},"eventId":"{event_id}"'
            f',"evidence":{_evidence(evidence) if evidence else "[]"},"log":{quote(log)}'
            f',"occurredAt":"{occurred_at}","outcome":{quote(outcome)}'
            f',"priv":{canonical(priv).decode() if priv else "{}"},"recordedAt":"'
        ).encode()
        between = f'","retention":{quote(retention)},"source":{_source(source)},"subjects":['.encode()
        return Unplaced(before, between, f'],"type":{quote(type)},"v":{LEAF_VERSION}}}'.encode())
    except UnicodeEncodeError:
        raise NotCanonical("$", "a lone surrogate") from None


def place(leaf: Unplaced, recorded_at: str, subjects: Sequence[Counted]) -> bytes:
    """The leaf's bytes, once its place is known. References of subjects need no escapes: a kind and an id."""
    return b"".join(
        (leaf.before, recorded_at.encode(), leaf.between, ",".join(map(_subject, subjects)).encode(), leaf.after)
    )


def _subject(subject: Counted) -> str:
    ref, n, prev = subject
    return f'{{"n":{n},"prev":{"null" if prev is None else _hex(prev)},"ref":"{ref}"}}'


def _text(text: str | None) -> str:
    return "null" if text is None else quote(text)


def _hex(digest: bytes) -> str:
    return f'"{digest.hex()}"'


def _aggregate(aggregate: tuple[str, int] | None) -> str:
    return "null" if aggregate is None else f'{{"id":"{aggregate[0]}","version":{aggregate[1]}}}'


def _source(source: tuple[str, int, int] | None) -> str:
    if source is None:
        return "null"
    topic, partition, offset = source
    return f'{{"offset":{offset},"partition":{partition},"topic":{quote(topic)}}}'


def _evidence(evidence: Sequence[tuple[str, str, int]]) -> str:
    if any(not is_sha256(digest) or size < 0 for digest, _, size in evidence):
        raise NotALeaf("evidence: the digest is not SHA-256 in hex, or the size is negative")
    return canonical([{"digest": digest, "mediaType": kind, "size": size} for digest, kind, size in evidence]).decode()
