"""Leaves read quickly: a million of them in a verification. Its one rule: what is taken here without doubt `decode`
takes, too; whatever looks unusual is handed to `decode` itself, whose verdict is the only one."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn, cast

from services.audit.trail.canonical import DEPTH_MAX, INTEGER_MAX, NotCanonical, canonical
from services.audit.trail.entries import rules_of
from services.audit.trail.leaf import LEAF_BYTES_MAX, LEAF_VERSION, LeafTooLarge, NotALeaf, client_digest, decode

Fields = dict[str, Any]
Projection = tuple[str | int | None, ...]

# The columns of an entry that a leaf decides, in the order of `projection`.
COLUMNS = (
    "log_id", "event_id", "type", "case_id", "actor", "occurred_at", "recorded_at", "correlation_id", "outcome",
    "aggregate_id", "aggregate_version",
)  # fmt: skip

_NAMES = (
    "action", "actor", "aggregate", "causationId", "correlationId", "data", "eventId", "evidence", "log", "occurredAt",
    "outcome", "priv", "recordedAt", "retention", "source", "subjects", "type", "v",
)  # fmt: skip
_TEXTS = ("log", "type", "action", "outcome", "retention", "correlationId")
_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
_is_instant = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z").fullmatch


class _Doubtful(Exception):
    """Not taken quickly: `decode` must look."""


def _doubt(_text: str) -> NoReturn:
    raise _Doubtful


def _integer(text: str) -> int:
    value = int(text)
    if not -INTEGER_MAX <= value <= INTEGER_MAX or (not value and text != "0"):
        raise _Doubtful
    return value


_parse: Callable[[str], Any] = json.JSONDecoder(parse_float=_doubt, parse_constant=_doubt, parse_int=_integer).decode


def read_leaf(data: bytes) -> Fields:
    """The fields of a leaf, as JSON. Raises NotALeaf, whatever it is that makes the bytes none."""
    try:
        return _quickly(data)
    except (_Doubtful, ValueError, RecursionError):
        pass
    try:
        decode(data)
    except (LeafTooLarge, NotCanonical) as error:
        raise NotALeaf(str(error)) from error
    return cast(Fields, json.loads(data))


def projection(fields: Fields) -> Projection:
    """What the COLUMNS of an entry must say."""
    actor, aggregate, source = fields["actor"], fields["aggregate"], fields["source"]
    counted = aggregate is not None and source is not None
    case_id = fields["data"].get("case_id")
    return (
        fields["log"],
        fields["eventId"],
        fields["type"],
        None if case_id is None else str(case_id),
        f"{actor['kind']}:{actor['ref']}",
        fields["occurredAt"],
        fields["recordedAt"],
        fields["correlationId"],
        fields["outcome"],
        f"{source['topic'].partition('.')[0]}:{aggregate['id']}" if counted else None,
        aggregate["version"] if counted else None,
    )


def digest_of_data(leaf: bytes, fields: Fields) -> bytes:
    """The client digest of a leaf, from the bytes of its data, which stand between names that no quoted text holds."""
    behind = b',"eventId":"%s","evidence":[' % fields["eventId"].encode()
    data = leaf[leaf.index(b'"data":') + 7 : leaf.rindex(behind)]
    return client_digest(fields["type"], fields["eventId"], data)


def rules(fields: Fields) -> tuple[str, ...]:
    """The rules that decided an entry, as its rows of entry_rule name them."""
    return rules_of(fields["data"])


def _quickly(data: bytes) -> Fields:
    if len(data) > LEAF_BYTES_MAX:
        raise _Doubtful
    fields = _parse(data.decode())
    if type(fields) is not dict or tuple(fields) != _NAMES:
        raise _Doubtful
    _check_places(fields)
    keys = len(_NAMES) + _check_scalars(fields) + _check_lists(fields) + _keys_of(fields["data"])
    # What is plain and has all its keys in order, each once, is canonical; anything else must be written anew to see.
    if (not _is_plain(data) or data.count(b'":') != keys) and canonical(fields) != data:
        raise _Doubtful
    return cast(Fields, fields)


def _is_plain(data: bytes) -> bool:
    """Neither escapes nor spaces, nothing beyond ASCII, and too few brackets to nest deeply."""
    return (
        data.isascii()
        and b"\\" not in data
        and b" " not in data
        and b"\n" not in data
        and b"\t" not in data
        and b"\r" not in data
        and data.count(b"{") + data.count(b"[") <= DEPTH_MAX
    )


def _keys_of(value: object) -> int:
    """How many keys a value has in all. Raises _Doubtful unless each object's are in order."""
    count = 0
    if type(value) is dict:
        last = ""
        for key, inner in value.items():
            if key < last:
                raise _Doubtful
            last = key
            if type(inner) is dict or type(inner) is list:
                count += _keys_of(inner)
        return count + len(value)
    if type(value) is list:
        for inner in value:
            if type(inner) is dict or type(inner) is list:
                count += _keys_of(inner)
    return count


def _check_scalars(fields: Fields) -> int:
    """All but lists and data. Returns how many keys stand inside."""
    for name in _TEXTS:
        if type(fields[name]) is not str:
            raise _Doubtful
    causation, actor, source, aggregate = fields["causationId"], fields["actor"], fields["source"], fields["aggregate"]
    if type(fields["v"]) is not int or fields["v"] != LEAF_VERSION or type(fields["data"]) is not dict:
        raise _Doubtful
    if causation is not None and type(causation) is not str:
        raise _Doubtful
    if not _has(actor, ("kind", "ref"), (str, str)):
        raise _Doubtful
    if source is not None and not _has(source, ("offset", "partition", "topic"), (int, int, str)):
        raise _Doubtful
    if aggregate is not None and not (_has(aggregate, ("id", "version"), (str, int)) and _is_uuid(aggregate["id"])):
        raise _Doubtful
    return 2 + (3 if source is not None else 0) + (2 if aggregate is not None else 0)


def _check_places(fields: Fields) -> None:
    """When, and by which event."""
    if type(fields["eventId"]) is not str or not _is_uuid(fields["eventId"]):
        raise _Doubtful
    for name in ("occurredAt", "recordedAt"):
        if type(fields[name]) is not str or not _is_instant(fields[name]):
            raise _Doubtful
        datetime.fromisoformat(fields[name])  # raises ValueError for the 31st of February


def _check_lists(fields: Fields) -> int:
    """Subjects, evidence and commitments. Returns how many keys stand inside."""
    subjects, evidence, priv = fields["subjects"], fields["evidence"], fields["priv"]
    if type(subjects) is not list or type(evidence) is not list or type(priv) is not dict:
        raise _Doubtful
    _check_subjects(subjects)
    for file in evidence:
        if not _has(file, ("digest", "mediaType", "size"), (str, str, int)):
            raise _Doubtful
        if not _is_hash(file["digest"]) or file["size"] < 0:
            raise _Doubtful
    for commitment in priv.values():
        if type(commitment) is not str or not _is_hash(commitment):
            raise _Doubtful
    return 3 * len(subjects) + 3 * len(evidence) + _keys_of(priv)


def _check_subjects(subjects: list[object]) -> None:
    for subject in subjects:
        if type(subject) is not dict or tuple(subject) != ("n", "prev", "ref"):
            raise _Doubtful
        n, prev, ref = subject.values()
        if type(n) is not int or n < 1 or type(ref) is not str or (prev is None) != (n == 1):
            raise _Doubtful
        if prev is not None and not (type(prev) is str and _is_hash(prev)):
            raise _Doubtful


def _has(value: object, names: tuple[str, ...], types: tuple[type, ...]) -> bool:
    """Whether this is an object with exactly these fields, in this order, of these types."""
    return type(value) is dict and tuple(value) == names and tuple(map(type, value.values())) == types
