"""Planned visits whose reason fell away: the case is closed or recalled, or a promise was judged again."""

from services.visits.caseload import usecases as caseload
from services.visits.visit import withdrawing
from shared.database import Transaction
from shared.events import cases, followup
from shared.events.envelope import Envelope
from shared.law import Disposition, HoldReason, HoldScope

ACTIVE, PAID = "ACTIVE", "PAID"


async def on_case_closed(tx: Transaction, event: cases.CaseClosed | cases.CaseRecalled, envelope: Envelope) -> None:
    """Planned visits are taken off at once. A visit under way stops at its next step."""
    row = await caseload.row_of(tx, event.case_id, envelope.lender_id)
    paid = isinstance(event, cases.CaseClosed) and event.reason == PAID
    caseload.close(row, envelope.occurred_at, left=not paid)
    await withdrawing.withdraw_planned(tx, row, Disposition.CANCELLED_PAID if paid else Disposition.CANCELLED_RECALL)


async def on_case_reopened(tx: Transaction, event: cases.CaseReopened, envelope: Envelope) -> None:
    caseload.reopen(await caseload.row_of(tx, event.case_id, envelope.lender_id), envelope.occurred_at)


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
