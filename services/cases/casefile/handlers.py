"""What cases hears from the other services goes to the timeline of the case."""

from services.cases.casefile import usecases
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.events.followup import (
    PromiseBroken,
    PromiseCancelled,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromiseSuperseded,
)
from shared.events.visits import VisitCompleted

AnyPromiseEvent = (
    PromiseMade | PromiseKept | PromisePartiallyKept | PromiseBroken | PromiseSuperseded | PromiseCancelled
)


async def on_visit_completed(tx: Transaction, event: VisitCompleted, envelope: Envelope) -> None:
    """A visit was made: its disposition stands on the case."""
    facts = {"visit_id": str(event.visit_id), "disposition": event.disposition, "person_met": event.person_met}
    usecases.note(tx, event.case_id, event, envelope, facts)


async def on_promise_event(tx: Transaction, event: AnyPromiseEvent, envelope: Envelope) -> None:
    """A promise was made or ended."""
    usecases.note(tx, event.case_id, event, envelope, {"promise_id": str(event.promise_id)})
