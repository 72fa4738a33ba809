"""What a visit says about an address."""

from sqlalchemy import update
from sqlmodel import col

from services.cases.debtors.tables import AddressRow
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.events.visits import VisitAborted, VisitCancelled
from shared.law import Disposition


async def on_visit_given_up(tx: Transaction, event: VisitAborted | VisitCancelled, _envelope: Envelope) -> None:
    """A visit that was given up as unsafe: each reader of the dossier sees the hazard, until the address is checked
    again. The gate of visits asks for a safety plan besides."""
    if event.reason == Disposition.SAFETY_ABORT:
        rows = update(AddressRow).where(col(AddressRow.case_id) == event.case_id)
        await tx.session.execute(rows.values(hazard=True))
