"""What a visit says about its case."""

from services.cases.casefile import usecases
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.events.visits import VisitCompleted


async def on_visit_completed(tx: Transaction, event: VisitCompleted, _envelope: Envelope) -> None:
    """A debtor who was met was reached."""
    if event.contact:
        usecases.note_contact(tx, await usecases.lock(tx, event.case_id), event.started_at)
