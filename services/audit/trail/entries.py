"""From a record of the bus to the entry that it becomes: which log, which subjects, which leaf; and the entries that
the trail writes by itself. Pure: the sequencer brings what was there before, and stores what comes out.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic_core import from_json

from services.audit.tlog.canonical import INTEGER_MAX, canonical
from services.audit.tlog.leaf import client_digest, instant
from services.audit.tlog.leaf_writer import Unplaced, spell
from services.audit.trail.projections import aggregate_ref, case_of, rules_of
from services.audit.trail.subjects import subjects_of
from shared.bus.transport import Record
from shared.events.audit import ExportFetched, TrailRead, TrailSearched
from shared.events.cases import DossierRead
from shared.events.envelope import RETENTION_HEADER, Undecodable
from shared.events.registry import read_event
from shared.law import HOUSE_CLASS, RULE_ID

OPERATOR, ACCESS = "operator", "access"
# Who looked at what stands in a log of its own.
READINGS = (DossierRead, ExportFetched, TrailRead, TrailSearched)
# Entries that the trail writes by itself; some of them are alarms.
CONFLICT, REJECTED, GAP, HEARTBEAT = "trail.conflict", "trail.rejected", "trail.gap", "trail.heartbeat"
HEADS, RESTORED = "trail.heads", "trail.restored"
OWN_TYPES = (CONFLICT, REJECTED, GAP, HEARTBEAT, HEADS, RESTORED)
ALARMS = (CONFLICT, REJECTED, GAP)
TRAIL = ("system", "trail")
RULE_ID_LENGTH_MAX = 100

_OUTCOMES = ("verdict", "disposition", "reason")
# The headers without which there is no entry; their names in the order in which _draft takes them.
_required = itemgetter("ce_type", "ce_id", "ce_actor", "ce_subject", "ce_sequence", "ce_time", "ce_correlationid")
_spelled_id = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_spelled_time = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z").fullmatch
# What stands in a column to search by: an index takes no long text, PostgreSQL no NUL.
_searchable = re.compile(r"[^\x00-\x1f\x7f]{0,255}").fullmatch
_rule_id = re.compile(RULE_ID).fullmatch


class Draft(NamedTuple):
    """An entry without its place: its columns, and its leaf but for the log's own counters."""

    log: str
    type: str
    event_id: str
    actor: str
    occurred_at: str
    correlation_id: str
    outcome: str
    case_id: str | None
    aggregate: str | None
    version: int | None
    refs: tuple[str, ...]
    rules: tuple[str, ...]
    client_digest: bytes
    leaf: Unplaced


def draft_of(record: Record, now: datetime) -> Draft:
    """The entry that a record becomes. What cannot be read becomes an entry, too, with its digest."""
    try:
        return _draft(record)
    except Undecodable as error:
        return rejected(record, str(error), now)
    except (ValueError, TypeError) as error:  # its message may quote the record
        return rejected(record, f"it cannot be read ({type(error).__name__})", now)


def _draft(record: Record) -> Draft:
    headers = record.headers
    try:
        type, id, actor, aggregate_id, sequence, time, correlation_id = _required(headers)
    except KeyError as missing:
        raise Undecodable(f"header {missing.args[0]} is missing") from None
    event = read_event(type, record.value)
    data: dict[str, Any] = from_json(record.value)
    lender = headers.get("ce_lenderid") or ""
    if lender in (OPERATOR, ACCESS):
        raise Undecodable("header ce_lenderid: this name is the trail's own")
    log = ACCESS if isinstance(event, READINGS) else lender or OPERATOR
    event_id = _id(id, "header ce_id")
    kind, _, ref = actor.partition(":")
    subject, version, occurred_at = _id(aggregate_id, "header ce_subject"), _version(sequence), _time(time)
    outcome = next((str(data[name]) for name in _OUTCOMES if data.get(name)), "done")
    rules = rules_of(data)
    for text in (log, actor, correlation_id, outcome, *rules):
        if not _searchable(text):
            raise Undecodable("something to search by is longer than 255 characters, or holds control characters")
    retention = headers.get(RETENTION_HEADER, HOUSE_CLASS)
    if len(retention) > RULE_ID_LENGTH_MAX or not _rule_id(retention):
        raise Undecodable("header ce_retention is not the id of a rule")
    topic, partition = record.partition
    spelled = canonical(data)
    return Draft(
        log,
        type,
        event_id,
        f"{kind}:{ref}",
        occurred_at,
        correlation_id,
        outcome,
        case_of(data),
        aggregate_ref(topic, subject),
        version,
        _refs(type, data, (kind, ref)),
        rules,
        client_digest(type, event_id, spelled),
        spell(
            log=log,
            type=type,
            event_id=event_id,
            occurred_at=occurred_at,
            actor=(kind, ref),
            action=type.split(".")[2],
            outcome=outcome,
            retention=retention,
            correlation_id=correlation_id,
            causation_id=headers.get("ce_causationid"),
            aggregate=(subject, version),
            source=(topic, partition, record.offset),
            evidence=_evidence(data),
            priv={"statement": data["statement_commitment"]} if data.get("statement_commitment") else None,
            data=spelled,
        ),
    )


def _id(text: str, place: str) -> str:
    """A UUID in its usual spelling."""
    if _spelled_id(text):
        return text
    try:
        return str(UUID(text))
    except ValueError:
        raise Undecodable(f"{place} is not a UUID") from None


def _version(text: str) -> int:
    version = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else 0
    if not 1 <= version <= INTEGER_MAX:
        raise Undecodable("header ce_sequence is not a version from 1")
    return version


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if _spelled_time(text):
            return text
        if moment.tzinfo is not None:
            return instant(moment)
    except (ValueError, OverflowError):
        pass
    raise Undecodable("header ce_time is not a time with offset")


def _refs(type: str, data: Mapping[str, Any], actor: tuple[str, str]) -> tuple[str, ...]:
    """The subjects of an event, each once, in a stable order."""
    named = subjects_of(type, data, actor)
    return tuple(dict.fromkeys(f"{kind}:{_id(item, f'the id of a {kind}')}" for kind, item in named))


def _evidence(data: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    files = data.get("evidence")
    if not isinstance(files, list):
        return []
    named = [each for each in files if isinstance(each, dict) and each.keys() >= {"digest", "media_type", "size_bytes"}]
    return [(each["digest"], each["media_type"], each["size_bytes"]) for each in named]


def rejected(record: Record, reason: str, now: datetime) -> Draft:
    """A record that is none of our events: kept by its digest."""
    topic, partition = record.partition
    event_id = uuid5(NAMESPACE_OID, f"{REJECTED}/{topic}/{partition}/{record.offset}")
    return _own(REJECTED, OPERATOR, event_id, now, {"reason": reason[:300], **_digest(record)}, record)


def conflict(record: Record, draft: Draft, now: datetime) -> Draft:
    """A second, different event under an id that is taken: refused, and that is itself recorded."""
    topic, partition = record.partition
    event_id = uuid5(NAMESPACE_OID, f"{CONFLICT}/{topic}/{partition}/{record.offset}")
    data = {"event_id": draft.event_id, **_digest(record)}
    return _own(CONFLICT, draft.log, event_id, now, data, record, draft.refs)


def gap(record: Record, draft: Draft, last_version: int, now: datetime) -> Draft:
    """Versions of an aggregate between the last that came and this one never did."""
    event_id = uuid5(NAMESPACE_OID, f"{GAP}/{draft.aggregate}/{last_version}/{draft.version}")
    data = {"aggregate": draft.aggregate, "from_version": last_version, "to_version": draft.version}
    return _own(GAP, draft.log, event_id, now, data, record, draft.refs)


def heartbeat(
    log: str, beat: int, every_seconds: int, now: datetime, operator: tuple[int, bytes] | None = None
) -> Draft:
    """The log is kept: were no entry between two beats, nothing had come. Beats are counted from 1970 on. `operator`:
    size and root of the operator's log, which names those of every other log."""
    event_id = heartbeat_id(log, beat, every_seconds)
    data: dict[str, Any] = {"beat": beat, "every_seconds": every_seconds}
    if operator is not None:
        data["operator"] = {"size": operator[0], "root": operator[1].hex()}
    return _own(HEARTBEAT, log, event_id, now, data, None)


def heartbeat_id(log: str, beat: int, every_seconds: int) -> UUID:
    """One id a beat, so that no restart doubles it."""
    return uuid5(NAMESPACE_OID, f"{HEARTBEAT}/{log}/{every_seconds}/{beat}")


def heads(part: int, data: Mapping[str, Any], now: datetime) -> Draft:
    """Size and root of every log, in the operator's log: who shortens or removes a log contradicts it. `data` names
    its beat; a list that is too long for one leaf comes in parts."""
    event_id = uuid5(NAMESPACE_OID, f"{HEADS}/{data['every_seconds']}/{data['beat']}/{part}")
    return _own(HEADS, OPERATOR, event_id, now, data, None)


def restored(data: Mapping[str, Any], now: datetime) -> Draft:
    """The trail went on from an older backup, or over entries that were never signed: which logs, and what is lost."""
    event_id = uuid5(NAMESPACE_OID, f"{RESTORED}/{instant(now)}/{sha256(canonical(data)).hexdigest()}")
    return _own(RESTORED, OPERATOR, event_id, now, data, None)


def _digest(record: Record) -> dict[str, Any]:
    return {"sha256": sha256(record.value).hexdigest(), "size": len(record.value)}


def _own(
    type: str,
    log: str,
    event_id: UUID,
    now: datetime,
    data: Mapping[str, Any],
    record: Record | None,
    refs: Sequence[str] = (),
) -> Draft:
    """An entry that the trail writes by itself, because of a record or of none. Its id follows from what it says."""
    name, action, moment = str(event_id), type.partition(".")[2], instant(now)
    source = (*record.partition, record.offset) if record else None
    spelled = canonical(data)
    leaf = spell(
        log=log,
        type=type,
        event_id=name,
        occurred_at=moment,
        actor=TRAIL,
        action=action,
        outcome=action,
        retention=HOUSE_CLASS,
        correlation_id=name,
        source=source,
        data=spelled,
    )
    digest = client_digest(type, name, spelled)
    return Draft(
        log, type, name, ":".join(TRAIL), moment, name, action, None, None, None, tuple(refs), (), digest, leaf
    )
