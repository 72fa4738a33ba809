"""What visits learns of a case from the other services. A fact whose case is not known yet is kept until it is."""

from datetime import UTC, datetime

from services.visits.caseload import usecases
from services.visits.caseload.tables import CaseloadRow, LenderAgencyRow
from shared.database import Transaction
from shared.events import cases, followup
from shared.events.envelope import Envelope
from shared.law import HoldReason, HoldScope, NoticeKind


async def _row(tx: Transaction, event: cases.CaseEvent | followup.PromiseEvent, envelope: Envelope) -> CaseloadRow:
    return await usecases.row_of(tx, event.case_id, envelope.lender_id)


async def on_case_opened(tx: Transaction, event: cases.CaseOpened, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.opened = True
    row.jurisdiction, row.country, row.time_zone = event.jurisdiction, event.country, event.time_zone
    row.product, row.currency = event.product, event.balance.currency
    row.balance_minor, row.days_past_due = event.balance.money.minor, event.days_past_due
    row.region, row.transferred = event.region, event.transferred
    if event.prior_notice_at is not None:
        _note_notice(row, NoticeKind.PRIOR_NOTICE, event.prior_notice_at)


async def on_debtor_recognised(tx: Transaction, event: cases.DebtorRecognised, envelope: Envelope) -> None:
    await usecases.recognise(tx, await _row(tx, event, envelope), event.person_ref)


async def on_case_updated(tx: Transaction, event: cases.CaseUpdated, envelope: Envelope) -> None:
    """The new balance; a case that owes nothing is not visited."""
    row = await _row(tx, event, envelope)
    row.balance_minor, row.days_past_due = event.balance.money.minor, event.days_past_due


async def on_case_referred(tx: Transaction, event: cases.CaseReferred, envelope: Envelope) -> None:
    usecases.want(await _row(tx, event, envelope), purpose=event.purpose)


async def on_case_held(tx: Transaction, event: cases.CaseHeld, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    usecases.hold(row, event.hold_id, HoldReason(event.reason), HoldScope(event.scope), since=envelope.occurred_at)


async def on_case_released(tx: Transaction, event: cases.CaseReleased, envelope: Envelope) -> None:
    """It stays on record for a while: what was done before is judged by it."""
    row = await _row(tx, event, envelope)
    usecases.release(row, event.hold_id, at=envelope.occurred_at)


async def on_notice_recorded(tx: Transaction, event: cases.NoticeRecorded, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    _note_notice(row, event.kind, event.sent_at)


def _note_notice(row: CaseloadRow, kind: str, sent_at: datetime) -> None:
    """Of a placement's own notice two events tell. A kind that no law knows is no fact."""
    if kind not in set(NoticeKind):
        return
    sent = {*row.notices.get(kind, ()), sent_at.astimezone(UTC).isoformat()}
    row.notices = {**row.notices, kind: sorted(sent)}


async def on_debtor_reached(tx: Transaction, event: cases.DebtorReached, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.first_contact_at = min(row.first_contact_at or event.first_contact_at, event.first_contact_at)


async def on_consent_recorded(tx: Transaction, event: cases.ConsentRecorded, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    consent = event.model_dump(mode="json", include={"scope", "given_at", "valid_until"})
    row.consents = {**row.consents, str(event.consent_id): consent}
    usecases.name_purpose(row)


async def on_consent_withdrawn(tx: Transaction, event: cases.ConsentWithdrawn, envelope: Envelope) -> None:
    """It stays on record: what was done before rests on it."""
    row = await _row(tx, event, envelope)
    consent = row.consents[str(event.consent_id)] | {"withdrawn_at": event.withdrawn_at.isoformat()}
    row.consents = {**row.consents, str(event.consent_id): consent}
    usecases.name_purpose(row)


async def on_contact_preference_recorded(
    tx: Transaction, event: cases.ContactPreferenceRecorded, envelope: Envelope
) -> None:
    row = await _row(tx, event, envelope)
    row.preference = event.model_dump(mode="json", exclude={"case_id", "preference_id"})


async def on_quiet_period_recorded(tx: Transaction, event: cases.QuietPeriodRecorded, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    period = event.model_dump(mode="json", include={"reason", "first_day", "last_day"})
    row.quiet_periods = {**row.quiet_periods, str(event.period_id): period}


async def on_address_verified(tx: Transaction, event: cases.AddressVerified, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    row.address_verified, row.hazard = event.verified, event.hazard
    row.place_type = event.place_type or row.place_type


async def on_lender_agency_changed(tx: Transaction, event: cases.LenderAgencyChanged, _envelope: Envelope) -> None:
    said = event.model_dump(include={"changed_at", "reviewed_on", "listed"})
    await tx.session.merge(LenderAgencyRow(lender_id=event.lender_id, **said))


async def on_revisit_requested(tx: Transaction, event: followup.RevisitRequested, envelope: Envelope) -> None:
    row = await usecases.row_of(tx, event.case_id, envelope.lender_id)
    usecases.want(row, purpose=event.purpose, promise_id=event.promise_id)
    row.not_before = event.not_before


async def on_promise_made(tx: Transaction, event: followup.PromiseMade, envelope: Envelope) -> None:
    """While a promise is active, nobody demands."""
    row = await _row(tx, event, envelope)
    usecases.hold(row, event.promise_id, HoldReason.PROMISE_ACTIVE, HoldScope.VISIT, since=envelope.occurred_at)


async def on_promise_ended(tx: Transaction, event: followup.PromiseEvent, envelope: Envelope) -> None:
    row = await _row(tx, event, envelope)
    usecases.release(row, event.promise_id, at=envelope.occurred_at)
    row.active_promises = [promise for promise in row.active_promises if promise != str(event.promise_id)]
