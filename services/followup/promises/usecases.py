"""Make, pay, judge and cancel promises. All that happens to a case happens under the lock of its row, on rows that
are loaded once a transaction; then its promises are replayed, and what stands otherwise than before is published."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from services.followup.caseload import queries as caseload_queries
from services.followup.caseload import usecases as caseload_usecases
from services.followup.caseload.tables import CaseFactsRow, ClosingRow, FollowedCaseRow, ReversalRow
from services.followup.lenders import usecases as lenders
from services.followup.lenders.domain import LenderTerms
from services.followup.promises import judging
from services.followup.promises.domain import Closing, Ending, PhonePromise, PromiseStatus, Standing
from services.followup.promises.domain import Money as Received
from services.followup.promises.replay import judged_at, local_day, replay
from services.followup.promises.tables import ApplicationRow, PromiseRow, ReceivedRow
from services.followup.promises.terms import Place, dues
from shared.bulk import each_of
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.envelope import SYSTEM
from shared.events.followup import InstalmentMissed, PromiseMade, PromiseSettled, RevisitRequested
from shared.events.values import Amount
from shared.events.values import Instalment as InstalmentValue
from shared.ids import new_id
from shared.instalments import OnMissed, check_parts
from shared.money import Money

JUDGED_AT_ONCE_MAX = 200
ONE_DAY = timedelta(days=1)
REPORTED_LATE_MAX = timedelta(days=7)
NOWHERE = Place(None)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class MakePromise:
    """`acted_at`: when it was agreed; its day in the debtor's zone is the first on which money counts."""

    promise_id: UUID
    instalments: Sequence[InstalmentValue]
    acted_at: datetime
    time_zone: str
    visit_id: UUID | None = None
    account_ids: Sequence[UUID] = ()
    down_payment: bool = False
    on_missed: OnMissed | None = None
    recording_consented: bool | None = None
    proof_digest: str | None = None


@dataclass(slots=True)
class Followed:
    """A locked case with all that its promises follow from."""

    row: FollowedCaseRow
    place: Place = NOWHERE
    promises: list[PromiseRow] = field(default_factory=list)
    payments: dict[UUID, ReceivedRow] = field(default_factory=dict)
    taken_back: dict[UUID, ReversalRow] = field(default_factory=dict)
    closings: list[ClosingRow] = field(default_factory=list)
    applied: dict[tuple[UUID, UUID], ApplicationRow] = field(default_factory=dict)

    def live(self) -> list[PromiseRow]:
        return [promise for promise in self.promises if not promise.frozen]

    def closed(self) -> Iterable[Closing]:
        """Accounts that are closed, by the debtor's days, in the order in which they left. Of one moment an account
        comes before its case: what was recalled is not paid with the rest."""
        for row in sorted(self.closings, key=lambda row: (row.at, row.account_id is None)):
            zone = self.promises[-1].time_zone
            yield Closing(local_day(row.at, zone), Ending(row.ending), row.account_id)

    def money(self) -> Iterable[Received]:
        """What each payment brings, without what frozen promises hold of it."""
        frozen = {promise.id for promise in self.promises if promise.frozen}
        held = Counter[UUID]()
        for (promise_id, payment_id), application in self.applied.items():
            held[payment_id] += application.amount_minor if promise_id in frozen else 0
        for payment in self.payments.values():
            left = payment.amount_minor - payment.reversed_minor - held[payment.payment_id]
            yield replace(payment.money, amount=max(0, left))

    def note_reversals(self) -> None:
        """What of each payment was taken back; never more than the payment."""
        reversed_minor = Counter[UUID | None]()
        for reversal in self.taken_back.values():
            reversed_minor[reversal.payment_id] += reversal.amount_minor
        for payment in self.payments.values():
            taken = min(reversed_minor[payment.payment_id], payment.amount_minor)
            if payment.reversed_minor != taken:
                payment.reversed_minor = taken


async def lock_cases(tx: Transaction, lenders: Mapping[UUID, str | None]) -> Mapping[UUID, Followed]:
    """Cases with their promises and payments, locked and read once a transaction. `lenders`: whose each is, where that
    is known."""
    seen: dict[UUID, Followed] = tx.session.info.setdefault("followed", {})
    if new := {case_id: lender_id for case_id, lender_id in lenders.items() if case_id not in seen}:
        # What is pending here is of this transaction and in `seen`; a flush before each look-up would write row by row.
        with tx.session.no_autoflush:
            rows = await caseload_usecases.lock(tx, new)
            seen |= await _load(tx, rows)
    return seen


async def lock_case(tx: Transaction, case_id: UUID, lender_id: str | None) -> Followed:
    """One case with its promises and payments, locked."""
    return (await lock_cases(tx, {case_id: lender_id}))[case_id]


async def _load(tx: Transaction, rows: Mapping[UUID, FollowedCaseRow]) -> dict[UUID, Followed]:
    """What belongs to cases that are locked: one statement a table."""
    cases = {case_id: Followed(row) for case_id, row in rows.items()}
    for facts in await _of(tx, CaseFactsRow, col(CaseFactsRow.id), cases):
        cases[facts.id].place = Place(facts.country, facts.region)
    known = [case_id for case_id, row in rows.items() if row not in tx.session.new]
    by_promise: dict[UUID, Followed] = {}
    for promise in await _of(tx, PromiseRow, col(PromiseRow.case_id), known):
        cases[promise.case_id].promises.append(promise)
        by_promise[promise.id] = cases[promise.case_id]
    for payment in await _of(tx, ReceivedRow, col(ReceivedRow.case_id), known):
        cases[payment.case_id].payments[payment.payment_id] = payment
    for reversal in await _of(tx, ReversalRow, col(ReversalRow.case_id), cases):
        cases[reversal.case_id].taken_back[reversal.id] = reversal
    for closing in await _of(tx, ClosingRow, col(ClosingRow.case_id), cases):
        cases[closing.case_id].closings.append(closing)
    for application in await _of(tx, ApplicationRow, col(ApplicationRow.promise_id), by_promise):
        by_promise[application.promise_id].applied[application.promise_id, application.payment_id] = application
    for case in cases.values():
        case.promises.sort(key=lambda row: (row.made_on, row.acted_at, row.id))
    return cases


async def _of(tx: Transaction, table: type[Row], column: Mapped[UUID], values: Collection[UUID]) -> Sequence[Row]:
    if not values:
        return []
    found = await tx.session.scalars(each_of(tx, table, column, values).execution_options(populate_existing=True))
    return found.all()


async def make_promise(tx: Transaction, case: Followed, command: MakePromise) -> PromiseRow:
    """Store a promise, and see what the history of its case makes of it. One that is known changes nothing."""
    for promise in case.promises:
        if promise.id == command.promise_id:
            return promise
    promise = _new_promise(tx, case, command, await _terms_of(tx, case.row.lender_id or ""))
    made = PromiseMade(
        case_id=case.row.id,
        promise_id=promise.id,
        visit_id=command.visit_id,
        instalments=list(command.instalments),
        total=_amount(promise.promised_minor, promise.currency),
        account_ids=list(command.account_ids) or None,
        on_missed=command.on_missed,
        recording_consented=command.recording_consented,
        proof_digest=command.proof_digest,
    )
    tx.publish(made, aggregate=promise, lender_id=case.row.lender_id)
    tx.session.add(promise)
    case.promises.append(promise)
    case.promises.sort(key=lambda row: (row.made_on, row.acted_at, row.id))
    settle(tx, case)
    return promise


async def _terms_of(tx: Transaction, lender_id: str) -> LenderTerms:
    """A lender's terms, read once a transaction."""
    read: dict[str, LenderTerms] = tx.session.info.setdefault("lender_terms", {})
    if lender_id not in read:
        read[lender_id] = (await lenders.row_of(tx, lender_id)).terms
    return read[lender_id]


async def promise_by_phone(tx: Transaction, wish: PhonePromise) -> PromiseRow:
    """A promise of a call. Raises NotFound for a case that is not known, Invalid for terms that are not valid."""
    facts = await caseload_queries.facts_of(tx, wish.case_id)
    case = await lock_case(tx, wish.case_id, facts.lender_id)
    acted_at = wish.at or tx.now
    if not tx.now - REPORTED_LATE_MAX <= acted_at <= tx.now:
        raise Invalid("at", "A promise is recorded at most seven days after the call, and not before it.")
    check_parts(wish.parts, on=local_day(acted_at, facts.time_zone), currency=facts.currency)
    command = MakePromise(
        promise_id=new_id(),
        instalments=[InstalmentValue(due_on=part.due_on, amount=Amount.of(part.money)) for part in wish.parts],
        acted_at=acted_at,
        time_zone=facts.time_zone,
        account_ids=wish.account_ids,
        on_missed=wish.on_missed,
        recording_consented=wish.recording_consented,
        proof_digest=wish.proof_digest,
    )
    return await make_promise(tx, case, command)


def _new_promise(tx: Transaction, case: Followed, command: MakePromise, terms: LenderTerms) -> PromiseRow:
    total = Money.of_minor(0, command.instalments[0].amount.currency)
    for item in command.instalments:
        total += item.amount.money  # raises where the currencies differ
    made_on = local_day(command.acted_at, command.time_zone)
    parts = [(item.due_on, item.amount.money.minor) for item in command.instalments]
    days = dues(parts, made_on, terms.grace_days, terms.grace_in, case.place)
    lacks = terms.may_lack is not None and terms.may_lack.currency == total.currency
    return PromiseRow(
        id=command.promise_id,
        case_id=case.row.id,
        lender_id=case.row.lender_id,
        visit_id=command.visit_id,
        status=PromiseStatus.ACTIVE,
        currency=total.currency,
        promised_minor=total.minor,
        instalments=[
            {
                "due_on": due.due_on.isoformat(),
                "counts_until": due.counts_until.isoformat(),
                "amount_minor": due.amount,
                "paid_minor": 0,
            }
            for due in days
        ],
        made_on=made_on,
        made_at=tx.now,
        acted_at=command.acted_at,
        time_zone=command.time_zone,
        grace_days=terms.grace_days,
        grace_in=terms.grace_in,
        tolerance=str(terms.tolerance),
        tolerance_minor=terms.may_lack.minor if terms.may_lack and lacks else 0,
        on_missed=command.on_missed or terms.on_missed,
        accounts=[str(account_id) for account_id in command.account_ids],
        down_payment=command.down_payment,
        recording_consented=command.recording_consented,
        proof_digest=command.proof_digest,
    )


def receive_payment(
    tx: Transaction,
    case: Followed,
    *,
    payment_id: UUID,
    money: Money,
    received_on: date,
    provisional: bool,
    account_id: UUID | None = None,
    visit_id: UUID | None = None,
) -> None:
    """Note a payment. It counts once, by its id; the line that confirms a receipt may say another amount, and never
    another day."""
    payment = case.payments.get(payment_id)
    if payment is None:
        payment = ReceivedRow(
            payment_id=payment_id,
            case_id=case.row.id,
            lender_id=case.row.lender_id,
            currency=money.currency,
            amount_minor=money.minor,
            received_on=received_on,
            provisional=provisional,
            account_id=account_id,
            visit_id=visit_id,
        )
        tx.session.add(payment)
        case.payments[payment_id] = payment
    elif payment.provisional and not provisional:
        payment.provisional, payment.amount_minor = False, money.minor
    else:
        return
    settle(tx, case)


async def take_back(tx: Transaction, case: Followed, reversal_id: UUID) -> None:
    """A payment, or a part of it, was taken back: from its day on it is as if it had not come."""
    if reversal_id not in case.taken_back:
        case.taken_back[reversal_id] = await tx.session.get_one(ReversalRow, reversal_id)
    settle(tx, case)


async def close_or_reopen(tx: Transaction, case: Followed) -> None:
    """Accounts of the case were closed, or the case was opened again: its promises are judged by that."""
    case.closings = list(await _of(tx, ClosingRow, col(ClosingRow.case_id), [case.row.id]))
    settle(tx, case)


def settle(tx: Transaction, case: Followed, at: datetime | None = None) -> None:
    """Replay a case's promises as of a time (default: now); store and publish what stands otherwise than before."""
    at = at or tx.now
    case.note_reversals()
    live = case.live()
    standings = replay((row.promise for row in live), case.money(), case.closed() if live else (), at)
    for row in live:
        _settle_one(tx, case, row, standings[row.id], at)
    _apply(tx, case, standings)


def _settle_one(tx: Transaction, case: Followed, row: PromiseRow, standing: Standing, at: datetime) -> None:
    before, today = row.judged, local_day(at, row.time_zone)
    actor = tx.context.actor
    for event in judging.events_of(case.row.id, before, standing, today):
        # What follows from the calendar and from money is judged by the system, no matter who made it known.
        tx.acting_as(SYSTEM if isinstance(event, PromiseSettled | InstalmentMissed) else actor)
        tx.publish(event, aggregate=row, lender_id=case.row.lender_id)
    if judging.changed(before, standing):
        row.judgement += 1
        row.ended_at = None if standing.stands else at
    if row.store(standing):
        row.revision += 1
    row.check_at = judged_at(standing, at)
    if standing.status in judging.REVISIT_PURPOSES and row.asked_at != row.judgement:
        _ask_for_visit(tx, case.row, row, standing.status, today)
    row.write_alike()
    tx.acting_as(actor)


def _ask_for_visit(tx: Transaction, case: FollowedCaseRow, row: PromiseRow, status: PromiseStatus, today: date) -> None:
    row.asked_at = row.judgement
    revisit = RevisitRequested(
        case_id=case.id,
        request_id=new_id(),
        reason=f"PROMISE_{status}",
        purpose=judging.REVISIT_PURPOSES[status],
        not_before=today + ONE_DAY,
        promise_id=row.id,
    )
    tx.acting_as(SYSTEM)
    tx.publish(revisit, aggregate=case)


def _apply(tx: Transaction, case: Followed, standings: Mapping[UUID, Standing]) -> None:
    """Keep which money went to which promise. What went elsewhere meanwhile stays on record as 0."""
    wanted = Counter({key: 0 for key in case.applied if key[0] in standings})
    for promise_id, standing in standings.items():
        for part in standing.applied:
            wanted[promise_id, part.payment_id] += part.amount
    for key, amount in wanted.items():
        if key not in case.applied:
            case.applied[key] = ApplicationRow(promise_id=key[0], payment_id=key[1], amount_minor=amount)
            tx.session.add(case.applied[key])
        elif case.applied[key].amount_minor != amount:
            case.applied[key].amount_minor = amount
    totals = Counter[UUID]()
    for (_, payment_id), application in case.applied.items():
        totals[payment_id] += application.amount_minor
    for payment in case.payments.values():
        if payment.applied_minor != totals[payment.payment_id]:
            payment.applied_minor = totals[payment.payment_id]


async def is_any_due(tx: Transaction) -> bool:
    """Whether a promise is to be judged."""
    due = select(col(PromiseRow.id)).where(col(PromiseRow.check_at) <= tx.now).limit(1)
    return await tx.session.scalar(due) is not None


async def judge_due(tx: Transaction) -> int:
    """Look at the promises that are due, at most 200, the oldest first, each case as of the time at which its first one
    was due: a timer that is late changes no day. Returns how many."""
    # Cases that another transaction holds are passed over; only when nothing else is left are they waited for, since
    # a timer that reports 0 says that nothing is due.
    rows = await _lock_due(tx, skip_locked=True) or await _lock_due(tx, skip_locked=False)
    cases = await _load(tx, rows)
    done = 0
    for case in cases.values():
        due = [row.check_at for row in case.promises if row.check_at is not None and row.check_at <= tx.now]
        settle(tx, case, at=min(due, default=tx.now))
        done += len(due)
    return done


async def _lock_due(tx: Transaction, *, skip_locked: bool) -> dict[UUID, FollowedCaseRow]:
    """The cases of the promises that are due, their rows locked. Only one is waited for at a time: who waits for a case
    and holds others may wait in a circle."""
    rows = await tx.session.scalars(
        caseload_usecases.locking(skip_locked=skip_locked)
        .join(PromiseRow, col(PromiseRow.case_id) == col(FollowedCaseRow.id))
        .where(col(PromiseRow.check_at) <= tx.now)
        .order_by(col(PromiseRow.check_at), col(PromiseRow.id))
        .limit(JUDGED_AT_ONCE_MAX if skip_locked else 1)
    )
    return {row.id: row for row in rows}


async def lock_promise(tx: Transaction, promise_id: UUID) -> tuple[Followed, PromiseRow]:
    """A promise with its case, locked, as it stands now. Raises NotFound."""
    promise = await get_promise(tx, promise_id)
    case = await lock_case(tx, promise.case_id, promise.lender_id)
    return case, promise


def cancel_promise(tx: Transaction, case: Followed, promise: PromiseRow, *, reason: str) -> None:
    """Take an active promise back, for a coded reason; money that it took stays with it. Raises Conflict."""
    settle(tx, case)
    if promise.status != PromiseStatus.ACTIVE:
        detail = f"This promise is {promise.status}: it cannot be cancelled any more."
        raise Conflict("promise-ended", detail, promise_status=promise.status)
    promise.cancelled_on, promise.cancel_reason = local_day(tx.now, promise.time_zone), reason
    settle(tx, case)


async def get_promise(tx: Transaction, promise_id: UUID) -> PromiseRow:
    """Raises NotFound."""
    row = await tx.session.get(PromiseRow, promise_id)
    if row is None:
        raise NotFound("promise-not-found", "There is no such promise here.")
    return row


def _amount(minor: int, currency: str) -> Amount:
    return Amount.of(Money.of_minor(minor, currency))
