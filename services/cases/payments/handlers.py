"""Cash taken at the door becomes a provisional payment."""

from services.cases.payments import usecases
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.events.visits import CashReceived


async def on_cash_received(tx: Transaction, event: CashReceived, _envelope: Envelope) -> None:
    """Post it by its receipt number; the lender's later line confirms it and never adds a second one."""
    await usecases.record_cash(
        tx,
        event.case_id,
        receipt_number=event.receipt_number,
        money=event.amount.money,
        received_on=event.received_on,
        visit_id=event.visit_id,
    )
