"""What followup does on the events of the others: a visit may bring a promise, a payment may keep one."""

from uuid import UUID

from services.followup.caseload import usecases as caseload_usecases
from services.followup.promises import usecases
from shared.database import Transaction
from shared.events.cases import PaymentReceived, PaymentReversed
from shared.events.envelope import Envelope
from shared.events.visits import VisitCompleted
from shared.instalments import OnMissed


async def on_visit_completed(tx: Transaction, event: VisitCompleted, envelope: Envelope) -> None:
    """A promise agreed on a visit travels inside its completion."""
    if event.promise is None:
        return
    case = await _case(tx, event.case_id, envelope)
    command = usecases.MakePromise(
        promise_id=event.promise.promise_id,
        visit_id=event.visit_id,
        instalments=event.promise.instalments,
        account_ids=event.promise.account_ids or (),
        down_payment=bool(event.promise.down_payment),
        on_missed=OnMissed(event.promise.on_missed) if event.promise.on_missed else None,
        acted_at=event.ended_at,
        time_zone=event.time_zone,
    )
    await usecases.make_promise(tx, case, command)


async def on_payment_received(tx: Transaction, event: PaymentReceived, envelope: Envelope) -> None:
    """Money goes to the promise of its day; it may keep it, or cure one that was judged without it."""
    case = await _case(tx, event.case_id, envelope)
    usecases.receive_payment(
        tx,
        case,
        payment_id=event.payment_id,
        money=event.amount.money,
        received_on=event.received_on,
        provisional=event.provisional,
        account_id=event.account_id,
    )


async def on_payment_reversed(tx: Transaction, event: PaymentReversed, envelope: Envelope) -> None:
    """A promise that rests on money that was taken back is judged again."""
    case = await _case(tx, event.case_id, envelope)
    await usecases.take_back(tx, case, event.reversal_id)


async def _case(tx: Transaction, case_id: UUID, envelope: Envelope) -> usecases.Followed:
    """The case that an event of another service is about, locked. Its retention class is the event's."""
    case = await usecases.lock_case(tx, case_id, envelope.lender_id)
    caseload_usecases.note_retention(case.row, envelope.retention)
    return case
