"""Proofs that are added to a completed visit later. The record is judged again with them, on the facts of its own time;
what it said first and the incident stay."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from services.visits.caseload.tables import CaseloadRow
from services.visits.gate import queries as gate_queries
from services.visits.gate import usecases as gate
from services.visits.visit import clocks, domain, reporting
from services.visits.visit.completion import report_incidents
from services.visits.visit.domain import IncidentKind, Supplement, VisitStatus
from services.visits.visit.schemas import ReportWarning, SupplementBody
from services.visits.visit.tables import VisitRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict, Invalid
from shared.events.values import EvidenceDigest
from shared.events.visits import VisitSupplemented
from shared.law import Facts, Step

PROOFS = ("credentials_shown", "authority_shown", "willing_now", "left_at")


async def supplement(
    tx: Transaction, visit: VisitRow, case: CaseloadRow, body: SupplementBody, *, actor: Actor
) -> list[ReportWarning]:
    """Add proofs to a record. The same supplement again changes nothing. Returns what is odd about its times. Raises
    Conflict where the visit is not completed or the record says otherwise, Invalid where nothing is added."""
    if visit.status != VisitStatus.COMPLETED or visit.ended_at is None:
        raise Conflict("not-completed", "Only a completed visit takes supplements: complete it first.")
    kept, sent = _kept(visit.record), _parts(body.model_dump())
    if not sent.names:
        raise Invalid("nothing-added", f"The supplement is empty: send {', '.join(PROOFS)}, consents or evidence.")
    added = domain.added_to(kept, sent)
    if not added.names:
        return []
    receipt = reporting.receipt_of(visit, body, actor=actor, now=tx.now, previous_step=visit.started_at)
    times = clocks.read_all({"left_at": added.facts.get("left_at")}, receipt)
    reported = reporting.stored(times, receipt, actor)
    before = UUID(visit.record["decision_id"])
    facts, known = await gate_queries.facts_of(tx, before), await gate_queries.incidents_of(tx, before)
    judged_facts = {name: time.at for name, time in times.items()}
    facts = facts.model_copy(update=_facts(facts, added) | judged_facts)
    judged = await gate.decide(tx, case, Step.COMPLETION, facts, visit_id=visit.id)
    line = {
        "added_at": tx.now.isoformat(),
        "added_by": str(actor.ref),
        "proofs": body.model_dump(mode="json", include={*PROOFS, "consents", "evidence"}),
        "decision_id": str(judged.id),
        "reported": reported,
    }
    visit.record_incomplete = judged.decision.record_incomplete
    visit.record = {
        **visit.record,
        "decision_id": str(judged.id),
        "missing": judged.decision.missing,
        "supplements": [*visit.record.get("supplements", ()), line],
    }
    event = VisitSupplemented(
        case_id=visit.case_id,
        visit_id=visit.id,
        collector_ids=visit.team,
        ended_at=visit.ended_at,
        added=added.names,
        evidence=[EvidenceDigest(**item) for item in added.evidence.values()],
        decision_id=judged.id,
        record_incomplete=judged.decision.record_incomplete,
        missing=judged.decision.missing,
        reported=reporting.published(reported),
    )
    tx.publish(event, aggregate=visit)
    broken = [each for each in judged.decision.incidents if each.rule_id not in known]
    report_incidents(tx, visit, IncidentKind.RULE_BROKEN, broken)
    return reporting.warnings_of(times)


def name_of(body: SupplementBody) -> str:
    """Its name among the reports of a visit: a visit may have several, and the same one again has the same name."""
    proofs = body.model_dump_json(include={*PROOFS, "consents", "evidence"})
    return f"supplement/{hashlib.sha256(proofs.encode()).hexdigest()}"


def _parts(report: dict[str, Any]) -> Supplement:
    """The proofs of a report, without those that it leaves out."""
    return Supplement(
        {name: report[name] for name in PROOFS if report.get(name) is not None},
        dict(report.get("consents") or {}),
        {item["digest"]: item for item in report.get("evidence") or ()},
    )


def _kept(record: dict[str, Any]) -> Supplement:
    """What a record and its supplements hold."""
    parts = [_parts(_read(proofs)) for proofs in _reports(record)]
    return Supplement(
        {name: value for part in parts for name, value in part.facts.items()},
        {scope: proof for part in parts for scope, proof in part.consents.items()},
        {digest: item for part in parts for digest, item in part.evidence.items()},
    )


def _reports(record: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield record
    yield from (line["proofs"] for line in record.get("supplements", ()))


def _read(proofs: dict[str, Any]) -> dict[str, Any]:
    left_at = proofs.get("left_at")
    return proofs | ({"left_at": datetime.fromisoformat(left_at)} if left_at else {})


def _facts(facts: Facts, added: Supplement) -> dict[str, Any]:
    """The facts that these proofs change."""
    recordings = domain.recordings(item["media_type"] for item in added.evidence.values())
    return {
        **added.facts,
        "consents": {**facts.consents, **added.consents},
        "recordings": (facts.recordings or 0) + recordings,
    }
