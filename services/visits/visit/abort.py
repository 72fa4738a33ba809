"""Abort: a visit that is under way is broken off. Its case stays wanted, from the next day on; after an unsafe visit
nothing goes on before a new safety plan is recorded."""

from datetime import datetime, timedelta
from typing import Any

from services.visits.caseload import usecases as caseload
from services.visits.caseload.tables import CaseloadRow
from services.visits.visit import clocks, domain, reporting
from services.visits.visit.domain import VisitStatus
from services.visits.visit.schemas import AbortVisitBody, ReportWarning
from services.visits.visit.tables import VisitRow
from services.visits.visit.usecases import end_unperformed, note_unsafe
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict
from shared.events.visits import VisitAborted
from shared.law import Disposition


async def abort(
    tx: Transaction, visit: VisitRow, case: CaseloadRow, body: AbortVisitBody, *, actor: Actor
) -> list[ReportWarning]:
    """Break a visit off. The same report again changes nothing. Returns what is odd about its time. Raises Conflict,
    Invalid or Forbidden."""
    if visit.status == VisitStatus.ABORTED:
        _check_same(visit, body)
        return []
    late = domain.check_reportable(visit.status, visit.missed_status, domain.UNDER_WAY, to="aborted")
    receipt = reporting.receipt_of(
        visit, body, actor=actor, now=tx.now, previous_step=visit.started_at or visit.dispatched_at
    )
    times = clocks.read_all({"at": body.at}, receipt)
    at = times["at"].at if times else tx.now
    if late and times:
        domain.check_late_evidence(at, visit.day, visit.time_zone)
    elif late:  # all that is known is that it was on its day
        at = domain.day_end(visit.day, visit.time_zone) - timedelta(seconds=1)
    if visit.started_at is not None:
        at = domain.settled_end(visit.started_at, at)
    end_unperformed(visit, VisitStatus.ABORTED, body.reason)
    visit.ended_at, visit.missed_reason, visit.overdue_since = at, None, None
    reported = reporting.stored(times, receipt, actor)
    visit.record = {"reason": body.reason, "at": body.at.isoformat() if body.at else None, "reported": reported}
    caseload.not_before(case, domain.next_day(visit.day, at, visit.time_zone))
    event = VisitAborted(
        case_id=visit.case_id,
        visit_id=visit.id,
        reason=body.reason,
        collector_ids=visit.team,
        at=at,
        reported=reporting.published(reported),
    )
    tx.publish(event, aggregate=visit)
    if body.reason is Disposition.SAFETY_ABORT:
        await note_unsafe(tx, visit, case)
    return reporting.warnings_of(times)


def _check_same(visit: VisitRow, body: AbortVisitBody) -> None:
    """Raises Conflict where the visit was broken off in another way. Earlier releases stored the reason alone."""
    kept: dict[str, Any] = {"reason": visit.disposition}
    sent: dict[str, Any] = {"reason": str(body.reason)}
    if "at" in visit.record:
        said = visit.record["at"]
        kept["at"], sent["at"] = datetime.fromisoformat(said) if said else None, body.at
    differs = domain.differing(kept, sent)
    if differs:
        names = ", ".join(differs)
        raise Conflict("already-aborted", f"This visit is aborted already, with another {names}.", differs=differs)
