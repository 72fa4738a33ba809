"""Who is under way to a debtor may read the dossier, and nobody else in the field."""

from services.cases.debtors import usecases
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.events.visits import VisitAborted, VisitCancelled, VisitCompleted, VisitDispatched


async def on_visit_dispatched(tx: Transaction, event: VisitDispatched, _envelope: Envelope) -> None:
    await usecases.assign(tx, event.case_id, event.visit_id, event.collector_ids)


async def on_visit_over(
    tx: Transaction, event: VisitCompleted | VisitAborted | VisitCancelled, _envelope: Envelope
) -> None:
    await usecases.unassign(tx, event.visit_id)
