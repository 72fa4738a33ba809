"""Make, pay, judge and cancel promises. All that happens to a case happens under the lock of its row, on rows that
are loaded once a transaction: a batch of events is one unit of work, written once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select
from sqlmodel import col

from services.followup.caseload import usecases as caseload_usecases
from services.followup.caseload.tables import FollowedCaseRow
from services.followup.promises import domain
from services.followup.promises.domain import Instalment, PromiseStatus
from services.followup.promises.tables import ApplicationRow, PromiseRow, ReceivedRow
from services.followup.settings import FollowupSettings
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.events.envelope import SYSTEM
from shared.events.followup import (
    PromiseBroken,
    PromiseCancelled,
    PromiseKept,
    PromiseMade,
    PromisePartiallyKept,
    PromiseSuperseded,
    RevisitRequested,
)
from shared.events.values import Amount
from shared.events.values import Instalment as InstalmentValue
from shared.ids import new_id
from shared.money import Money

JUDGED_AT_ONCE_MAX = 200

_ENDINGS = {
    PromiseStatus.KEPT: PromiseKept,
    PromiseStatus.PARTIALLY_KEPT: PromisePartiallyKept,
    PromiseStatus.BROKEN: PromiseBroken,
}


@dataclass(frozen=True, slots=True)
class MakePromise:
    promise_id: UUID
    visit_id: UUID | None
    instalments: Sequence[InstalmentValue]
    made_on: date
    time_zone: str


@dataclass(slots=True)
class Followed:
    """A locked case with its promises, in the order in which they were made, and its payments, by their days."""

    row: FollowedCaseRow
    promises: list[PromiseRow] = field(default_factory=list)
    payments: list[ReceivedRow] = field(default_factory=list)

    def active(self) -> list[PromiseRow]:
        return [promise for promise in self.promises if promise.status == PromiseStatus.ACTIVE]


async def lock_case(tx: Transaction, case_id: UUID, lender_id: str | None) -> Followed:
    """A case with its promises and payments, locked and read once a transaction."""
    seen: dict[UUID, Followed] = tx.session.info.setdefault("followed", {})
    if case_id not in seen:
        # What is pending here is of this transaction and in `seen`; a flush before each look-up would write row by row.
        with tx.session.no_autoflush:
            seen[case_id] = await _load(tx, await caseload_usecases.lock(tx, case_id, lender_id))
    return seen[case_id]


async def _load(tx: Transaction, row: FollowedCaseRow) -> Followed:
    if row in tx.session.new:
        return Followed(row)
    case_id = row.id
    promises = await tx.session.scalars(_promises_of([case_id]))
    payments = await tx.session.scalars(
        select(ReceivedRow)
        .where(col(ReceivedRow.case_id) == case_id)
        .order_by(col(ReceivedRow.received_on), col(ReceivedRow.payment_id))
        .execution_options(populate_existing=True)
    )
    return Followed(row, list(promises), list(payments))


def _promises_of(case_ids: Sequence[UUID]) -> Select[PromiseRow]:
    """Promises of cases that are locked, as they are now."""
    return (
        select(PromiseRow)
        .where(col(PromiseRow.case_id).in_(case_ids))
        .order_by(col(PromiseRow.made_on), col(PromiseRow.id))
        .execution_options(populate_existing=True)
    )


def make_promise(tx: Transaction, case: Followed, command: MakePromise, settings: FollowupSettings) -> None:
    """Store a promise. It takes the place of the one that is active, and the money that has come since its day.
    A promise that is known already changes nothing."""
    if any(promise.id == command.promise_id for promise in case.promises):
        return
    promise = _new_promise(tx, case, command, settings)
    made = PromiseMade(
        case_id=case.row.id,
        promise_id=promise.id,
        visit_id=command.visit_id,
        instalments=list(command.instalments),
        total=_amount(promise.promised_minor, promise.currency),
    )
    tx.publish(made, aggregate=promise, key=case.row.id, lender_id=case.row.lender_id)
    for other in case.active():
        _replace(tx, case, promise, other)
    tx.session.add(promise)
    case.promises.append(promise)
    case.promises.sort(key=lambda row: (row.made_on, row.id))
    for payment in case.payments:
        _apply(tx, promise, payment)
    _judge(tx, case.row, promise)


def _new_promise(tx: Transaction, case: Followed, command: MakePromise, settings: FollowupSettings) -> PromiseRow:
    instalments = sorted(command.instalments, key=lambda item: item.due_on)
    total = Money.of_minor(0, instalments[0].amount.currency)
    for item in instalments:
        total += item.amount.money  # raises where the currencies differ
    promise = PromiseRow(
        id=command.promise_id,
        case_id=case.row.id,
        lender_id=case.row.lender_id,
        visit_id=command.visit_id,
        status=PromiseStatus.ACTIVE,
        currency=total.currency,
        promised_minor=total.minor,
        instalments=_stored([Instalment(item.due_on, item.amount.money.minor) for item in instalments]),
        made_on=command.made_on,
        made_at=tx.now,
        time_zone=command.time_zone,
        grace_days=settings.grace_days,
        tolerance=str(settings.tolerance),
    )
    promise.check_at = promise.state.matures_at
    return promise


def _replace(tx: Transaction, case: Followed, promise: PromiseRow, other: PromiseRow) -> None:
    """One of two promises stands: that of the later visit, whichever was heard of first. A promise whose grace was
    over on the day of the other is judged, not replaced: the timer was only a little late."""
    if other.state.last_day < promise.made_on:
        _judge(tx, case.row, other)
    if other.status != PromiseStatus.ACTIVE:
        return
    earlier, later = (promise, other) if promise.made_on < other.made_on else (other, promise)
    _end(tx, earlier, PromiseStatus.SUPERSEDED)
    earlier.superseded_on = later.made_on
    event = PromiseSuperseded(case_id=case.row.id, promise_id=earlier.id, by_promise_id=later.id)
    tx.publish(event, aggregate=earlier, key=case.row.id, lender_id=case.row.lender_id)


def receive_payment(tx: Transaction, case: Followed, *, payment_id: UUID, money: Money, received_on: date) -> None:
    """Note a payment and apply it to the promise of its day. A payment counts once, by its id."""
    if any(payment.payment_id == payment_id for payment in case.payments):
        return
    payment = ReceivedRow(
        payment_id=payment_id,
        case_id=case.row.id,
        lender_id=case.row.lender_id,
        currency=money.currency,
        amount_minor=money.minor,
        received_on=received_on,
    )
    tx.session.add(payment)
    case.payments.append(payment)
    case.payments.sort(key=lambda row: (row.received_on, row.payment_id))
    for promise in case.promises:
        _apply(tx, promise, payment)
    for promise in case.active():
        _judge(tx, case.row, promise)


def _apply(tx: Transaction, promise: PromiseRow, payment: ReceivedRow) -> None:
    before, left = promise.state, payment.amount_minor - payment.applied_minor
    if promise.currency != payment.currency or not left or not domain.takes(before, payment.received_on):
        return
    after, unapplied = domain.pay(before, left)
    if unapplied == left:
        return
    taken = left - unapplied
    payment.applied_minor += taken
    promise.paid_minor += taken
    promise.instalments = _stored(after.instalments)
    promise.revision += 1
    tx.session.add(ApplicationRow(promise_id=promise.id, payment_id=payment.payment_id, amount_minor=taken))


def _judge(tx: Transaction, case: FollowedCaseRow, promise: PromiseRow) -> None:
    """See how a promise stands now; say so if it has ended, and ask for a revisit where money is still due."""
    if promise.status != PromiseStatus.ACTIVE:
        return
    state = promise.state
    status = domain.outcome(state, tx.now)
    if status is PromiseStatus.ACTIVE:
        promise.check_at = state.matures_at
        return
    tx.acting_as(SYSTEM)
    _end(tx, promise, status)
    today = tx.now.astimezone(ZoneInfo(promise.time_zone)).date()
    ended = _ENDINGS[status](
        case_id=case.id,
        promise_id=promise.id,
        promised=_amount(promise.promised_minor, promise.currency),
        paid=_amount(promise.paid_minor, promise.currency),
        on=today,
    )
    tx.publish(ended, aggregate=promise, key=case.id, lender_id=case.lender_id)
    if status in domain.REVISIT_PURPOSES:
        revisit = RevisitRequested(
            case_id=case.id,
            request_id=new_id(),
            reason=f"PROMISE_{status}",
            purpose=domain.REVISIT_PURPOSES[status],
            not_before=today + timedelta(days=1),
            promise_id=promise.id,
        )
        tx.publish(revisit, aggregate=case, key=case.id, lender_id=case.lender_id)


def _end(tx: Transaction, promise: PromiseRow, status: PromiseStatus) -> None:
    promise.status, promise.ended_at, promise.check_at = status, tx.now, None
    promise.revision += 1


async def judge_due(tx: Transaction) -> int:
    """Judge the promises that have matured, at most 200, the oldest first. Returns how many."""
    # Cases that somebody else has locked are passed over; only when nothing else is left are they waited for, since
    # a timer that reports 0 says that nothing is due.
    cases = await _lock_due(tx, skip_locked=True) or await _lock_due(tx, skip_locked=False)
    due = await tx.session.scalars(_promises_of(list(cases)).where(*_due(tx.now)))
    promises = sorted(due, key=lambda row: (row.check_at or tx.now, row.id))
    for promise in promises:
        _judge(tx, cases[promise.case_id], promise)
    return len(promises)


async def _lock_due(tx: Transaction, *, skip_locked: bool) -> dict[UUID, FollowedCaseRow]:
    """The cases of the promises that are due, their rows locked."""
    rows = await tx.session.scalars(
        caseload_usecases.locking(skip_locked=skip_locked)
        .join(PromiseRow, col(PromiseRow.case_id) == col(FollowedCaseRow.id))
        .where(*_due(tx.now))
        .order_by(col(PromiseRow.check_at), col(PromiseRow.id))
        .limit(JUDGED_AT_ONCE_MAX)
    )
    return {row.id: row for row in rows}


def _due(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(PromiseRow.status) == PromiseStatus.ACTIVE, col(PromiseRow.check_at) <= now


async def lock_promise(tx: Transaction, promise_id: UUID) -> tuple[Followed, PromiseRow]:
    """A promise with its case, locked. Raises NotFound."""
    promise = await get_promise(tx, promise_id)
    return await lock_case(tx, promise.case_id, promise.lender_id), promise


def cancel_promise(tx: Transaction, case: Followed, promise: PromiseRow, *, reason: str) -> None:
    """Take an active promise back, for a coded reason; money that it took stays with it. Raises Conflict."""
    if promise.status != PromiseStatus.ACTIVE:
        detail = f"This promise is {promise.status}: it cannot be cancelled any more."
        raise Conflict("promise-ended", detail, promise_status=promise.status)
    _end(tx, promise, PromiseStatus.CANCELLED)
    event = PromiseCancelled(case_id=promise.case_id, promise_id=promise.id, reason=reason)
    tx.publish(event, aggregate=promise, key=promise.case_id, lender_id=case.row.lender_id)


async def get_promise(tx: Transaction, promise_id: UUID) -> PromiseRow:
    """Raises NotFound."""
    row = await tx.session.get(PromiseRow, promise_id)
    if row is None:
        raise NotFound("promise-not-found", "There is no such promise here.")
    return row


def _stored(instalments: Sequence[Instalment]) -> list[dict[str, object]]:
    return [
        {"due_on": item.due_on.isoformat(), "amount_minor": item.amount_minor, "paid_minor": item.paid_minor}
        for item in instalments
    ]


def _amount(minor: int, currency: str) -> Amount:
    return Amount.of(Money.of_minor(minor, currency))


def made_on(ended_at: datetime, time_zone: str) -> date:
    """The debtor's day on which a promise was made."""
    return ended_at.astimezone(ZoneInfo(time_zone)).date()
