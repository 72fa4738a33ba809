"""What visits learns of a case from the other services. A fact whose case is not known yet is kept until it is."""

from services.visits.caseload import usecases
from services.visits.caseload.tables import CaseloadRow
from shared.database import Transaction
from shared.events import cases, followup
from shared.events.envelope import Envelope


async def _row(tx: Transaction, event: cases.CaseEvent | followup.PromiseEvent, envelope: Envelope) -> CaseloadRow:
    return await usecases.row_of(tx, event.case_id, envelope.lender_id)


async def on_case_opened(tx: Transaction, event: cases.CaseOpened, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.opened = True
    row.jurisdiction, row.country, row.time_zone = event.jurisdiction, event.country, event.time_zone
    row.product, row.currency = event.product, event.balance.currency
    row.balance_minor, row.days_past_due = event.balance.money.minor, event.days_past_due
    row.prior_notice_at = row.prior_notice_at or event.prior_notice_at


async def on_case_updated(tx: Transaction, event: cases.CaseUpdated, envelope: Envelope) -> None:
    """The new balance; a case that owes nothing is not visited."""
    row = await _row(tx, event, envelope)
    row.balance_minor, row.days_past_due = event.balance.money.minor, event.days_past_due


async def on_case_referred(tx: Transaction, event: cases.CaseReferred, envelope: Envelope) -> None:
    usecases.want(await _row(tx, event, envelope), purpose=event.purpose)


async def on_case_held(tx: Transaction, event: cases.CaseHeld, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.holds = {**row.holds, str(event.hold_id): {"reason": event.reason, "scope": event.scope}}


async def on_case_released(tx: Transaction, event: cases.CaseReleased, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.holds = {hold_id: hold for hold_id, hold in row.holds.items() if hold_id != str(event.hold_id)}


async def on_notice_recorded(tx: Transaction, event: cases.NoticeRecorded, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    if event.kind == "PRIOR_NOTICE":
        row.prior_notice_at = min(row.prior_notice_at or event.sent_at, event.sent_at)


async def on_address_verified(tx: Transaction, event: cases.AddressVerified, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.address_verified, row.hazard = event.verified, event.hazard


async def on_revisit_requested(tx: Transaction, event: followup.RevisitRequested, envelope: Envelope) -> None:
    row = await usecases.row_of(tx, event.case_id, envelope.lender_id)
    usecases.want(row, purpose=event.purpose)
    row.not_before = event.not_before


async def on_promise_made(tx: Transaction, event: followup.PromiseMade, envelope: Envelope) -> None:
    """While a promise is active, nobody demands."""
    row = await _row(tx, event, envelope)
    row.active_promises = [*row.active_promises, str(event.promise_id)]


async def on_promise_ended(tx: Transaction, event: followup.PromiseEvent, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.active_promises = [promise for promise in row.active_promises if promise != str(event.promise_id)]
