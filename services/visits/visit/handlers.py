"""A promise was judged again: the planned visit that followed from its earlier judgement is withdrawn."""

from services.visits.caseload import usecases as caseload
from services.visits.visit import withdrawing
from shared.database import Transaction
from shared.events import followup
from shared.events.envelope import Envelope
from shared.law import Disposition, HoldReason, HoldScope

ACTIVE = "ACTIVE"


async def on_promise_judged_again(
    tx: Transaction, event: followup.PromiseCured | followup.PromiseReopened, envelope: Envelope
) -> None:
    """What followed from the earlier judgement is withdrawn. A promise that runs again stops demands again."""
    row = await caseload.row_of(tx, event.case_id, envelope.lender_id)
    if caseload.is_wanted_by(row, event.promise_id):
        caseload.settle(row, again_on=None)
        await withdrawing.withdraw_planned(tx, row, Disposition.CANCELLED_PAID)
    if event.status == ACTIVE:
        caseload.hold(row, event.promise_id, HoldReason.PROMISE_ACTIVE, HoldScope.VISIT, since=envelope.occurred_at)
    else:
        caseload.release(row, event.promise_id, at=envelope.occurred_at)
