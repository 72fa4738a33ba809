"""The timeline of a case: what the other services told of it. A view of events and nothing else."""

from typing import Any
from uuid import UUID

from sqlalchemy import Table, insert

from services.cases.casefile.tables import TimelineRow
from shared.bus.projections import Projection
from shared.database import Transaction
from shared.events import followup, visits
from shared.events.envelope import Envelope

AnyPromiseEvent = (
    followup.PromiseMade
    | followup.PromiseKept
    | followup.PromisePartiallyKept
    | followup.PromiseBroken
    | followup.PromiseCured
    | followup.PromiseReopened
    | followup.InstalmentMissed
    | followup.PromiseSuperseded
    | followup.PromiseCancelled
)


async def on_visit_completed(tx: Transaction, table: Table, event: visits.VisitCompleted, envelope: Envelope) -> None:
    """A visit was made: its disposition stands on the case."""
    facts = {"visit_id": str(event.visit_id), "disposition": event.disposition, "person_met": event.person_met}
    await _note(tx, table, event.case_id, envelope, facts)


async def on_visit_missed(tx: Transaction, table: Table, event: visits.VisitMissed, envelope: Envelope) -> None:
    """A planned visit did not take place: the case says why."""
    await _note(tx, table, event.case_id, envelope, {"visit_id": str(event.visit_id), "reason": event.reason})


async def on_promise_event(tx: Transaction, table: Table, event: AnyPromiseEvent, envelope: Envelope) -> None:
    """A promise was made, judged or ended."""
    now = event.model_dump(mode="json", include={"promise_id", "status", "instalment"})
    await _note(tx, table, event.case_id, envelope, now)


async def _note(tx: Transaction, table: Table, case_id: UUID, envelope: Envelope, facts: dict[str, Any]) -> None:
    line = {"event_id": envelope.event_id, "case_id": case_id, "occurred_at": envelope.occurred_at}
    await tx.session.execute(insert(table).values(**line, type=envelope.type, facts=facts))


TIMELINE = Projection(
    "timeline",
    TimelineRow.metadata.tables["timeline"],
    {
        visits.VisitCompleted: on_visit_completed,
        visits.VisitMissed: on_visit_missed,
        followup.PromiseMade: on_promise_event,
        followup.PromiseKept: on_promise_event,
        followup.PromisePartiallyKept: on_promise_event,
        followup.PromiseBroken: on_promise_event,
        followup.PromiseCured: on_promise_event,
        followup.PromiseReopened: on_promise_event,
        followup.InstalmentMissed: on_promise_event,
        followup.PromiseSuperseded: on_promise_event,
        followup.PromiseCancelled: on_promise_event,
    },
)
