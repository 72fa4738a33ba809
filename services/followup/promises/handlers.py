"""What followup does on the events of the others: a visit may bring a promise, a payment may keep one."""

from services.followup.promises import usecases
from services.followup.settings import FollowupSettings
from shared.database import Transaction
from shared.events.cases import PaymentReceived
from shared.events.envelope import Envelope
from shared.events.visits import VisitCompleted


async def on_visit_completed(tx: Transaction, event: VisitCompleted, envelope: Envelope) -> None:
    """A promise agreed on a visit travels inside its completion."""
    if event.promise is None:
        return
    case = await usecases.lock_case(tx, event.case_id, envelope.lender_id)
    command = usecases.MakePromise(
        promise_id=event.promise.promise_id,
        visit_id=event.visit_id,
        instalments=event.promise.instalments,
        made_on=usecases.made_on(event.ended_at, event.time_zone),
        time_zone=event.time_zone,
    )
    usecases.make_promise(tx, case, command, FollowupSettings.of(tx.settings))


async def on_payment_received(tx: Transaction, event: PaymentReceived, envelope: Envelope) -> None:
    """Money is applied to the active promise; it may keep it."""
    case = await usecases.lock_case(tx, event.case_id, envelope.lender_id)
    usecases.receive_payment(
        tx, case, payment_id=event.payment_id, money=event.amount.money, received_on=event.received_on
    )
