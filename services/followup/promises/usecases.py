"""Make, pay, judge and cancel promises. Whatever order the events come in, the same money ends in the same place:
a payment that came before its promise is applied when the promise arrives."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.followup.promises import domain
from services.followup.promises.domain import Instalment, PromiseStatus, Terms
from services.followup.promises.tables import FollowedCaseRow, PromiseRow, ReceivedRow
from services.followup.settings import FollowupSettings
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Conflict, NotFound
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
from shared.law import VisitPurpose
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


async def lock_case(tx: Transaction, case_id: UUID, lender_id: str | None) -> FollowedCaseRow:
    """The row of a case, locked; made now if this is the first that is heard of it."""
    seen: dict[UUID, FollowedCaseRow] = tx.session.info.setdefault("followed_case", {})
    if case_id not in seen:
        row = await tx.session.get(FollowedCaseRow, case_id, with_for_update=True)
        if row is None:
            row = FollowedCaseRow(id=case_id)
            tx.session.add(row)
        seen[case_id] = row
    row = seen[case_id]
    row.lender_id = row.lender_id or lender_id
    return row


async def make_promise(
    tx: Transaction, case: FollowedCaseRow, command: MakePromise, settings: FollowupSettings
) -> PromiseRow:
    """Store a promise. It takes the place of one that is active, and of the money that came since its day."""
    total = [instalment.amount.money for instalment in command.instalments]
    promise = PromiseRow(
        id=command.promise_id,
        case_id=case.id,
        lender_id=case.lender_id,
        visit_id=command.visit_id,
        status=PromiseStatus.ACTIVE,
        currency=total[0].currency,
        promised_minor=sum(money.minor for money in total),
        instalments=_stored([Instalment(item.due_on, item.amount.money.minor) for item in command.instalments]),
        made_on=command.made_on,
        made_at=tx.now,
        time_zone=command.time_zone,
        grace_days=settings.grace_days,
        tolerance=str(settings.tolerance),
        version=0,
    )
    for earlier in await _active(tx, case.id):
        _end(tx, earlier, PromiseStatus.SUPERSEDED)
        event = PromiseSuperseded(case_id=case.id, promise_id=earlier.id, by_promise_id=promise.id)
        tx.publish(event, aggregate=earlier, key=case.id, lender_id=case.lender_id)
    tx.session.add(promise)
    made = PromiseMade(
        case_id=case.id,
        promise_id=promise.id,
        visit_id=command.visit_id,
        instalments=list(command.instalments),
        total=Amount.of(Money.of_minor(promise.promised_minor, promise.currency)),
    )
    tx.publish(made, aggregate=promise, key=case.id, lender_id=case.lender_id)
    for payment in await _unapplied(tx, promise):
        _apply(promise, payment)
    _judge(tx, case, promise)
    return promise


async def _active(tx: Transaction, case_id: UUID) -> list[PromiseRow]:
    rows = await tx.session.scalars(
        select(PromiseRow)
        .where(col(PromiseRow.case_id) == case_id, col(PromiseRow.status) == PromiseStatus.ACTIVE)
        .order_by(col(PromiseRow.id))
    )
    return list(rows)


async def _unapplied(tx: Transaction, promise: PromiseRow) -> list[ReceivedRow]:
    """Money that came on or after the promise's day, by another topic and so perhaps before it."""
    rows = await tx.session.scalars(
        select(ReceivedRow)
        .where(
            col(ReceivedRow.case_id) == promise.case_id,
            col(ReceivedRow.currency) == promise.currency,
            col(ReceivedRow.received_on) >= promise.made_on,
            col(ReceivedRow.applied_minor) < col(ReceivedRow.amount_minor),
        )
        .order_by(col(ReceivedRow.received_on), col(ReceivedRow.payment_id))
    )
    return list(rows)


async def receive_payment(
    tx: Transaction, case: FollowedCaseRow, *, payment_id: UUID, money: Money, received_on: date
) -> None:
    """Note a payment and apply it to the active promise. A payment counts once, by its id."""
    if await tx.session.get(ReceivedRow, payment_id) is not None:
        return
    payment = ReceivedRow(
        payment_id=payment_id,
        case_id=case.id,
        lender_id=case.lender_id,
        currency=money.currency,
        amount_minor=money.minor,
        received_on=received_on,
    )
    tx.session.add(payment)
    for promise in await _active(tx, case.id):
        if promise.currency == money.currency and promise.made_on <= received_on:
            _apply(promise, payment)
            _judge(tx, case, promise)


def _apply(promise: PromiseRow, payment: ReceivedRow) -> None:
    left = payment.amount_minor - payment.applied_minor
    instalments, unapplied = domain.apply_payment(instalments_of(promise), left)
    payment.applied_minor += left - unapplied
    promise.paid_minor += left - unapplied
    promise.instalments = _stored(instalments)


def _judge(tx: Transaction, case: FollowedCaseRow, promise: PromiseRow) -> None:
    """See how a promise stands now; say so if it has ended, and ask for a revisit where money is still due."""
    instalments, terms = instalments_of(promise), terms_of(promise)
    status = domain.outcome(instalments, terms, tx.now)
    if status is PromiseStatus.ACTIVE:
        promise.check_at = domain.next_check(instalments, terms)
        return
    _end(tx, promise, status)
    today = tx.now.astimezone(ZoneInfo(promise.time_zone)).date()
    ended = _ENDINGS[status](
        case_id=case.id,
        promise_id=promise.id,
        promised=Amount.of(Money.of_minor(promise.promised_minor, promise.currency)),
        paid=Amount.of(Money.of_minor(promise.paid_minor, promise.currency)),
        on=today,
    )
    tx.publish(ended, aggregate=promise, key=case.id, lender_id=case.lender_id)
    if status is not PromiseStatus.KEPT:
        _ask_for_revisit(tx, case, promise, status, today)


def _ask_for_revisit(
    tx: Transaction, case: FollowedCaseRow, promise: PromiseRow, status: PromiseStatus, today: date
) -> None:
    event = RevisitRequested(
        case_id=case.id,
        request_id=new_id(),
        reason=f"PROMISE_{status}",
        purpose=VisitPurpose.DEMAND,
        not_before=today + timedelta(days=1),
        promise_id=promise.id,
    )
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)


def _end(tx: Transaction, promise: PromiseRow, status: PromiseStatus) -> None:
    promise.status, promise.ended_at, promise.check_at = status, tx.now, None


async def judge_due(tx: Transaction) -> int:
    """Judge the promises whose grace has passed, at most 200. Returns how many were looked at."""
    due = await tx.session.execute(
        select(col(PromiseRow.id), col(PromiseRow.case_id))
        .where(col(PromiseRow.status) == PromiseStatus.ACTIVE, col(PromiseRow.check_at) <= tx.now)
        .order_by(col(PromiseRow.check_at), col(PromiseRow.id))
        .limit(JUDGED_AT_ONCE_MAX)
    )
    found = due.all()
    # The rows of the cases are locked first, in one order, as every writer does.
    for _, case_id in sorted(found, key=lambda row: row[1]):
        await lock_case(tx, case_id, None)
    for promise_id, case_id in found:
        promise = await tx.session.get(PromiseRow, promise_id, populate_existing=True)
        if promise is not None and promise.status == PromiseStatus.ACTIVE:
            _judge(tx, await lock_case(tx, case_id, promise.lender_id), promise)
    return len(found)


async def cancel_promise(tx: Transaction, promise_id: UUID, *, reason: str, actor: Actor) -> PromiseRow:
    """Take an active promise back, for a coded reason. Raises NotFound, Conflict where it has ended."""
    found = await get_promise(tx, promise_id, actor=actor)
    case = await lock_case(tx, found.case_id, found.lender_id)
    await tx.session.refresh(found)
    if found.status != PromiseStatus.ACTIVE:
        raise Conflict("promise-ended", f"This promise is {found.status}: it cannot be cancelled.", status=found.status)
    _end(tx, found, PromiseStatus.CANCELLED)
    event = PromiseCancelled(case_id=case.id, promise_id=found.id, reason=reason)
    tx.publish(event, aggregate=found, key=case.id, lender_id=case.lender_id)
    return found


async def get_promise(tx: Transaction, promise_id: UUID, *, actor: Actor) -> PromiseRow:
    """Raises NotFound, also for another lender's."""
    row = await tx.session.get(PromiseRow, promise_id)
    if row is None or (actor.has(Role.LENDER) and row.lender_id != actor.lender_id):
        raise NotFound("promise-not-found", "There is no such promise here.")
    return row


def terms_of(promise: PromiseRow) -> Terms:
    return Terms(promise.grace_days, promise.tolerance_share, promise.time_zone)


def instalments_of(promise: PromiseRow) -> list[Instalment]:
    return [
        Instalment(date.fromisoformat(item["due_on"]), item["amount_minor"], item["paid_minor"])
        for item in promise.instalments
    ]


def _stored(instalments: Sequence[Instalment]) -> list[dict[str, object]]:
    return [
        {"due_on": item.due_on.isoformat(), "amount_minor": item.amount_minor, "paid_minor": item.paid_minor}
        for item in instalments
    ]


def made_on(ended_at: datetime, time_zone: str) -> date:
    """The debtor's day on which a promise was made."""
    return ended_at.astimezone(ZoneInfo(time_zone)).date()
