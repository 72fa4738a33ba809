"""From a record of the bus to the entry that it becomes: which log, which subjects, which leaf. Pure: the sequencer
brings what was there before, and stores what comes out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from services.audit.trail.canonical import canonical
from services.audit.trail.leaf import Actor, Aggregate, Evidence, Leaf, Source, client_digest
from shared.bus.transport import Record
from shared.events.audit import ExportFetched, TrailRead, TrailSearched
from shared.events.cases import DossierRead
from shared.events.envelope import Envelope, Undecodable, decode
from shared.events.registry import event_class

OPERATOR, ACCESS = "operator", "access"
READINGS = (DossierRead, ExportFetched, TrailRead, TrailSearched)
CONFLICT, REJECTED = "trail.conflict", "trail.rejected"
# Entries that the trail writes by itself.
OWN_TYPES = (CONFLICT, REJECTED, "trail.gap", "trail.heartbeat")
RETENTION = "house-retain"
TRAIL = Actor("system", "trail")

_SUBJECTS = {
    "case_id": "case",
    "case_ids": "case",
    "visit_id": "visit",
    "collector_id": "collector",
    "collector_ids": "collector",
    "debtor_id": "debtor",
    "promise_id": "promise",
}
_OUTCOMES = ("verdict", "disposition", "reason")
_RULES = ("deciding", "rules", "rule_id")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry without its place: everything but the log's own counters."""

    log: str
    type: str
    event_id: UUID
    occurred_at: datetime
    actor: Actor
    action: str
    outcome: str
    correlation_id: str
    causation_id: str | None
    refs: tuple[str, ...]
    case_id: str | None
    aggregate: Aggregate | None
    evidence: tuple[Evidence, ...]
    priv: Mapping[str, str]
    source: Source
    data: Mapping[str, Any]
    client_digest: bytes


def draft_of(record: Record, now: datetime) -> Draft:
    """The entry that a record becomes. What cannot be read becomes an entry, too, with its digest."""
    try:
        return _draft(record)
    except (Undecodable, ValueError) as error:
        return rejected(record, str(error), now)


def _draft(record: Record) -> Draft:
    headers = dict(record.headers)
    envelope = Envelope.from_headers(headers)
    kind = event_class(envelope.type)
    decode(kind, record.value)
    data: dict[str, Any] = json.loads(record.value)
    return Draft(
        log=ACCESS if kind in READINGS else envelope.lender_id or OPERATOR,
        type=envelope.type,
        event_id=envelope.event_id,
        occurred_at=envelope.occurred_at,
        actor=Actor(envelope.actor.kind, envelope.actor.ref),
        action=envelope.type.split(".")[2],
        outcome=next((str(data[name]) for name in _OUTCOMES if data.get(name)), "done"),
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        refs=_refs(data),
        case_id=str(data["case_id"]) if "case_id" in data else None,
        aggregate=Aggregate(envelope.subject, envelope.sequence),
        evidence=tuple(
            Evidence(item["digest"], item["media_type"], item["size_bytes"]) for item in data.get("evidence", [])
        ),
        priv={"statement": data["statement_commitment"]} if data.get("statement_commitment") else {},
        source=_source(record),
        data=data,
        client_digest=client_digest(envelope.type, envelope.event_id, canonical(data)),
    )


def _refs(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Whom and what an event is about, each once, in a stable order."""
    refs: dict[str, None] = {}
    for name, kind in _SUBJECTS.items():
        value = data.get(name)
        for item in value if isinstance(value, list) else [value] if value else []:
            refs[f"{kind}:{item}"] = None
    return tuple(refs)


def rules_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The rules that decided an event, each once, in a stable order."""
    named: dict[str, None] = {}
    for name in _RULES:
        value = data.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                named[item] = None
    return tuple(named)


def aggregate_ref(topic: str, aggregate: Aggregate) -> str:
    """An aggregate with the service that counts its versions: cases and followup both publish about a case."""
    return f"{topic.partition('.')[0]}:{aggregate.id}"


def aggregate_of(leaf: Leaf) -> tuple[str, int] | tuple[None, None]:
    """The aggregate of a leaf and its version, as the columns hold them."""
    if leaf.aggregate is None or leaf.source is None:
        return None, None
    return aggregate_ref(leaf.source.topic, leaf.aggregate), leaf.aggregate.version


def _source(record: Record) -> Source:
    return Source(record.partition.topic, record.partition.number, record.offset)


def _place(record: Record) -> str:
    return f"{record.partition.topic}/{record.partition.number}/{record.offset}"


def _own(record: Record, kind: str, log: str, now: datetime, outcome: str, data: Mapping[str, Any]) -> Draft:
    """An entry that the trail writes by itself about a record. Its id follows from the record's place."""
    event_id = uuid5(NAMESPACE_OID, f"{kind}/{_place(record)}")
    data = {**data, "sha256": sha256(record.value).hexdigest(), "size": len(record.value)}
    return Draft(
        log=log,
        type=kind,
        event_id=event_id,
        occurred_at=now,
        actor=TRAIL,
        action=kind.partition(".")[2],
        outcome=outcome,
        correlation_id=str(event_id),
        causation_id=None,
        refs=(),
        case_id=None,
        aggregate=None,
        evidence=(),
        priv={},
        source=_source(record),
        data=data,
        client_digest=client_digest(kind, event_id, canonical(data)),
    )


def rejected(record: Record, reason: str, now: datetime) -> Draft:
    """A record that is none of our events: kept by its digest."""
    return _own(record, REJECTED, OPERATOR, now, "rejected", {"reason": reason[:300]})


def conflict(record: Record, draft: Draft, now: datetime) -> Draft:
    """A second, different event under an id that is taken: refused, and that is itself recorded."""
    return _own(record, CONFLICT, draft.log, now, "conflict", {"event_id": str(draft.event_id)})


def leaf_of(draft: Draft, subjects: tuple[Any, ...], recorded_at: datetime) -> Leaf:
    return Leaf(
        log=draft.log,
        type=draft.type,
        event_id=draft.event_id,
        occurred_at=draft.occurred_at,
        recorded_at=recorded_at,
        actor=draft.actor,
        action=draft.action,
        outcome=draft.outcome,
        retention=RETENTION,
        correlation_id=draft.correlation_id,
        causation_id=draft.causation_id,
        subjects=subjects,
        aggregate=draft.aggregate,
        evidence=draft.evidence,
        priv=draft.priv,
        source=draft.source,
        data=draft.data,
    )


def instant(moment: datetime) -> str:
    """A time as it stands in leaves and columns: UTC, microseconds, Z; so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
