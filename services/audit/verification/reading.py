"""Leaves read quickly: a million of them in a verification. Its one rule: what is taken here without doubt `decode`
takes, too; whatever looks unusual is handed to `decode` itself, whose verdict is the only one."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic_core import from_json, to_json

from services.audit.tlog.canonical import DEPTH_MAX, INTEGER_MAX, NotCanonical, canonical
from services.audit.tlog.leaf import LEAF_BYTES_MAX, Leaf, LeafTooLarge, NotALeaf, client_digest, decode, instant
from services.audit.trail.projections import aggregate_ref, case_of, rules_of

Mention = tuple[str, int, str | None]  # a subject, the entry's number among its entries, the hash of the one before

# The columns of an entry that a leaf decides, in the order of `Said.columns`.
COLUMNS = (
    "log_id", "event_id", "type", "case_id", "actor", "occurred_at", "recorded_at", "correlation_id", "outcome",
    "aggregate_id", "aggregate_version",
)  # fmt: skip


class Said(NamedTuple):
    """What the tables must say of an entry, by its leaf."""

    columns: tuple[str | int | None, ...]
    client_digest: bytes
    subjects: Sequence[Mention]
    rules: tuple[str, ...]
    source: tuple[str, int, int] | None  # topic, partition and offset of its record; None where the trail wrote it


def _usual_leaf() -> "re.Pattern[str]":
    """A leaf as nearly all are: plain ASCII in canonical form, but for its data, which is looked at by itself."""
    plain = r"[ !#-\[\]-~]*"  # no escapes
    text, said = f'"{plain}"', f'"({plain})"'
    id = r'"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
    time = r'"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z)"'
    hash, number = '"[0-9a-f]{64}"', "(?:0|[1-9][0-9]{0,14})"
    later = f'(?!1,)[1-9][0-9]{{0,14}},"prev":{hash}'
    subject = rf'\{{"n":(?:1,"prev":null|{later}),"ref":{text}\}}'
    file = rf'\{{"digest":{hash},"mediaType":{text},"size":{number}\}}'
    fields = {
        "action": text,
        "actor": rf'\{{"kind":{said},"ref":{said}\}}',
        "aggregate": rf'(?:null|\{{"id":{id},"version":({number})\}})',
        "causationId": f"(?:null|{text})",
        "correlationId": said,
        "data": r"(\{.*\})",
        "eventId": id,
        "evidence": rf"\[(?:{file}(?:,{file})*)?\]",
        "log": said,
        "occurredAt": time,
        "outcome": said,
        "priv": rf"\{{(?:{text}:{hash})?\}}",
        "recordedAt": time,
        "retention": text,
        "source": rf'(?:null|\{{"offset":({number}),"partition":({number}),"topic":{said}\}})',
        "subjects": rf"\[((?:{subject}(?:,{subject})*)?)\]",
        "type": said,
        "v": "1",
    }
    return re.compile(r"\{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + r"\}")


_match_usual = _usual_leaf().fullmatch
_subjects_in = re.compile(r'"n":([0-9]+),"prev":(?:null|"([0-9a-f]{64})"),"ref":"([^"]*)"').findall


def read_leaf(leaf: bytes) -> Said:
    """What a leaf says. Raises NotALeaf, whatever it is that makes the bytes none."""
    try:
        said = _quickly(leaf)
    except ValueError:
        said = None
    if said is not None:
        return said
    try:
        return _said(decode(leaf))
    except (LeafTooLarge, NotCanonical) as error:
        raise NotALeaf(str(error)) from error


def _quickly(leaf: bytes) -> Said | None:
    """None, or ValueError, for whatever is not usual."""
    found = _match_usual(leaf.decode()) if len(leaf) <= LEAF_BYTES_MAX else None
    if found is None:
        return None
    (
        kind, ref, aggregate, version, correlation_id, written, event_id, log, occurred_at, outcome, recorded_at,
        offset, partition, topic, subjects, type,
    ) = found.groups()  # fmt: skip
    datetime.fromisoformat(occurred_at)  # raises ValueError for the 31st of February
    datetime.fromisoformat(recorded_at)
    payload = written.encode()
    data = from_json(payload, allow_inf_nan=False)
    if to_json(data) != payload or not _fits(data, DEPTH_MAX - 1):
        return None
    counted = aggregate is not None and topic is not None
    columns = (
        log,
        event_id,
        type,
        case_of(data),
        f"{kind}:{ref}",
        occurred_at,
        recorded_at,
        correlation_id,
        outcome,
        f"{topic.partition('.')[0]}:{aggregate}" if counted else None,
        int(version) if counted else None,
    )
    mentions = [(ref, int(n), prev or None) for n, prev, ref in _subjects_in(subjects)]
    source = None if topic is None else (topic, int(partition), int(offset))
    return Said(columns, client_digest(type, event_id, payload), mentions, rules_of(data), source)


def _fits(value: object, depth: int) -> bool:
    """Whether an object or a list that was read is of the profile, the keys of all its objects in order."""
    if type(value) is dict:
        keys = list(value)
        if keys != sorted(keys) or not "".join(keys).isascii():
            return False
        inside: Iterable[object] = value.values()
    elif type(value) is list:
        inside = value
    else:
        return type(value) is int and -INTEGER_MAX <= value <= INTEGER_MAX
    if not depth:
        return False
    for inner in inside:
        kind = type(inner)
        if kind is not str and kind is not bool and inner is not None and not _fits(inner, depth - 1):
            return False
    return True


def _said(leaf: Leaf) -> Said:
    aggregate, source = leaf.aggregate, leaf.source
    columns = (
        leaf.log,
        str(leaf.event_id),
        leaf.type,
        case_of(leaf.data),
        f"{leaf.actor.kind}:{leaf.actor.ref}",
        instant(leaf.occurred_at),
        instant(leaf.recorded_at),
        leaf.correlation_id,
        leaf.outcome,
        aggregate_ref(source.topic, aggregate.id) if aggregate and source else None,
        aggregate.version if aggregate and source else None,
    )
    mentions = [(each.ref, each.n, each.prev.hex() if each.prev else None) for each in leaf.subjects]
    digest = client_digest(leaf.type, str(leaf.event_id), canonical(leaf.data))
    place = (source.topic, source.partition, source.offset) if source else None
    return Said(columns, digest, mentions, rules_of(leaf.data), place)
