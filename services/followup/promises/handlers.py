"""What followup does on the events of the others: a visit may bring a promise, a payment may keep one."""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from services.followup.caseload import usecases as caseload_usecases
from services.followup.promises import usecases
from shared.bus.handling import Heard
from shared.database import Transaction
from shared.events.cases import (
    AccountsRecalled,
    CaseClosed,
    CaseRecalled,
    CaseReopened,
    PaymentReceived,
    PaymentReversed,
)
from shared.events.envelope import Envelope
from shared.events.visits import VisitCompleted
from shared.instalments import OnMissed

OfCase = TypeVar("OfCase", VisitCompleted, PaymentReceived)


async def on_visits_completed(tx: Transaction, heard: Sequence[Heard[VisitCompleted]]) -> None:
    """A promise agreed on a visit travels inside its completion."""
    agreed = [(each, each.event.promise) for each in heard if each.event.promise is not None]
    cases = await _lock_all(tx, [each for each, _ in agreed])
    for each, promise in agreed:
        tx.context, event = each.context, each.event
        command = usecases.MakePromise(
            promise_id=promise.promise_id,
            visit_id=event.visit_id,
            instalments=promise.instalments,
            account_ids=promise.account_ids or (),
            down_payment=bool(promise.down_payment),
            on_missed=OnMissed(promise.on_missed) if promise.on_missed else None,
            acted_at=event.ended_at,
            time_zone=event.time_zone,
        )
        await usecases.make_promise(tx, cases[event.case_id], command)


async def on_payments_received(tx: Transaction, heard: Sequence[Heard[PaymentReceived]]) -> None:
    """Money goes to the promise of its day; it may keep it, or cure one that was judged without it."""
    cases = await _lock_all(tx, heard)
    for each in heard:
        tx.context, event = each.context, each.event
        usecases.receive_payment(
            tx,
            cases[event.case_id],
            payment_id=event.payment_id,
            money=event.amount.money,
            received_on=event.received_on,
            provisional=event.provisional,
            account_id=event.account_id,
            visit_id=event.visit_id,
        )


async def on_payment_reversed(tx: Transaction, event: PaymentReversed, envelope: Envelope) -> None:
    """A promise that rests on money that was taken back is judged again."""
    case = await usecases.lock_case(tx, event.case_id, envelope.lender_id)
    caseload_usecases.note_retention(case.row, envelope.retention)
    await usecases.take_back(tx, case, event.reversal_id)


async def on_case_closed_or_reopened(
    tx: Transaction, event: CaseClosed | CaseRecalled | CaseReopened | AccountsRecalled, envelope: Envelope
) -> None:
    """A promise about an account that is paid is kept; about one that was recalled, it is void."""
    case = await usecases.lock_case(tx, event.case_id, envelope.lender_id)
    caseload_usecases.note_retention(case.row, envelope.retention)
    await usecases.close_or_reopen(tx, case)


async def _lock_all(tx: Transaction, heard: Sequence[Heard[OfCase]]) -> Mapping[UUID, usecases.Followed]:
    """The cases that events of other services are about, locked. Their retention classes are the events'."""
    lenders: dict[UUID, str | None] = {}
    for each in heard:
        lenders[each.event.case_id] = lenders.get(each.event.case_id) or each.envelope.lender_id
    cases = await usecases.lock_cases(tx, lenders)
    for each in heard:
        caseload_usecases.note_retention(cases[each.event.case_id].row, each.envelope.retention)
    return cases
