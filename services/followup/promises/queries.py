"""Reads of promises."""

from collections import Counter
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.followup.promises.domain import MATURED, PromiseStatus
from services.followup.promises.domain import Money as Received
from services.followup.promises.explaining import REASONS, Known, Left, sentences, uncounted
from services.followup.promises.schemas import (
    AppliedView,
    ExplanationView,
    InstalmentView,
    MoneyTotals,
    PromiseCounts,
    PromiseDetailView,
    PromiseView,
    TotalsView,
    UncountedView,
)
from services.followup.promises.tables import ApplicationRow, PromiseRow, ReceivedRow
from shared.database import Transaction
from shared.events.values import Amount
from shared.listing import page_of
from shared.money import Money
from shared.sums import exact_sum

PAYMENTS_SHOWN_MAX = 200
_BUILT = {"promised", "paid", "instalments", "account_ids"}


def view(row: PromiseRow) -> PromiseView:
    def amount(minor: int) -> Amount:
        return _amount(minor, row.currency)

    instalments = [
        InstalmentView(
            due_on=item["due_on"],
            counts_until=item["counts_until"],
            amount=amount(item["amount_minor"]),
            paid=amount(item["paid_minor"]),
        )
        for item in row.instalments
    ]
    return PromiseView(
        **row.model_dump(include=set(PromiseView.model_fields) - _BUILT),
        promised=amount(row.promised_minor),
        paid=amount(row.paid_minor),
        instalments=instalments,
        account_ids=[UUID(account_id) for account_id in row.accounts],
    )


async def detail(tx: Transaction, row: PromiseRow) -> PromiseDetailView:
    """A promise with its case's payments: which counted, which did not, and why."""
    payments = await _payments_of(tx, row.case_id)
    applied, elsewhere = await _went(tx, row)
    known = Known(
        promise=row.promise,
        status=PromiseStatus(row.status),
        paid=[item["paid_minor"] for item in row.instalments],
        ended_on=row.ended_on,
        by_balance=row.by_balance,
        payments=[payment.money for payment in payments],
        applied=applied,
        elsewhere=elsewhere,
        taken_back={payment.payment_id: payment.reversed_minor for payment in payments},
    )
    said = sentences(known)
    return PromiseDetailView(
        **dict(view(row)),
        payments=[_applied_view(payment, applied[payment.id]) for payment in known.payments if applied[payment.id]],
        uncounted=[_uncounted_view(left) for left in uncounted(known)],
        explanation=ExplanationView(en=[en for en, _ in said], zh=[zh for _, zh in said]),
    )


async def _payments_of(tx: Transaction, case_id: UUID) -> list[ReceivedRow]:
    """The newest payments of a case, in the order of their days."""
    newest = await tx.session.scalars(
        select(ReceivedRow)
        .where(col(ReceivedRow.case_id) == case_id)
        .order_by(col(ReceivedRow.received_on).desc(), col(ReceivedRow.payment_id).desc())
        .limit(PAYMENTS_SHOWN_MAX)
    )
    return list(newest)[::-1]


async def _went(tx: Transaction, row: PromiseRow) -> tuple[Counter[UUID], Counter[UUID]]:
    """How much of each payment went to this promise, and to other promises of the case."""
    here, elsewhere = Counter[UUID](), Counter[UUID]()
    found = await tx.session.scalars(
        select(ApplicationRow)
        .join(PromiseRow, col(PromiseRow.id) == col(ApplicationRow.promise_id))
        .where(col(PromiseRow.case_id) == row.case_id)
    )
    for application in found:
        of = here if application.promise_id == row.id else elsewhere
        of[application.payment_id] += application.amount_minor
    return here, elsewhere


def _applied_view(payment: Received, applied: int) -> AppliedView:
    return AppliedView(
        payment_id=payment.id,
        received_on=payment.received_on,
        amount=_amount(payment.amount, payment.currency),
        applied=_amount(applied, payment.currency),
    )


def _uncounted_view(left: Left) -> UncountedView:
    en, zh = REASONS[left.reason]
    return UncountedView(
        payment_id=left.payment.id,
        received_on=left.payment.received_on,
        amount=_amount(left.amount, left.payment.currency),
        reason=left.reason,
        en=en,
        zh=zh,
    )


def _amount(minor: int, currency: str) -> Amount:
    return Amount.of(Money.of_minor(minor, currency))


async def list_promises(
    tx: Transaction,
    *,
    case_id: UUID | None,
    status: PromiseStatus | None,
    after: UUID | None,
    limit: int,
) -> list[PromiseView]:
    statement = select(PromiseRow)
    if case_id is not None:
        statement = statement.where(col(PromiseRow.case_id) == case_id)
    if status is not None:
        statement = statement.where(col(PromiseRow.status) == status)
    statement = page_of(statement, col(PromiseRow.id), after=after, limit=limit)
    return [view(row) for row in await tx.session.scalars(statement)]


async def totals(tx: Transaction) -> TotalsView:
    """Counts by status, and sums of money by currency."""
    status, currency = col(PromiseRow.status), col(PromiseRow.currency)
    made = select(
        status, currency, func.count().label("promises"), exact_sum(PromiseRow.promised_minor).label("promised_minor")
    ).group_by(status, currency)
    received = select(
        col(ReceivedRow.currency),
        exact_sum(ReceivedRow.amount_minor).label("received_minor"),
        exact_sum(ReceivedRow.reversed_minor).label("reversed_minor"),
        exact_sum(ReceivedRow.applied_minor).label("applied_minor"),
    ).group_by(col(ReceivedRow.currency))
    counts: Counter[str] = Counter()
    promised: Counter[tuple[str, str]] = Counter()
    for row in await tx.session.execute(made):
        counts[row.status] += row.promises
        promised[row.currency, row.status] += row.promised_minor
    money = {
        row.currency: (row.received_minor - row.reversed_minor, row.applied_minor)
        for row in await tx.session.execute(received)
    }
    currencies = sorted({*money, *(code for code, _ in promised)})
    by_amount = {
        code: _kept_ratio(Counter({status: minor for (other, status), minor in promised.items() if other == code}))
        for code in currencies
    }
    return TotalsView(
        promises=_counts(counts),
        money={
            code: _money(code, sum(minor for (other, _), minor in promised.items() if other == code), money.get(code))
            for code in currencies
        },
        kept_ratio=_kept_ratio(counts),
        kept_ratio_by_amount={code: ratio for code, ratio in by_amount.items() if ratio is not None},
    )


def _counts(counts: Counter[str]) -> PromiseCounts:
    return PromiseCounts(
        made=counts.total(),
        kept=counts[PromiseStatus.KEPT],
        partially_kept=counts[PromiseStatus.PARTIALLY_KEPT],
        broken=counts[PromiseStatus.BROKEN],
        open=counts[PromiseStatus.ACTIVE],
        cancelled=counts[PromiseStatus.CANCELLED],
        superseded=counts[PromiseStatus.SUPERSEDED],
    )


def _money(currency: str, promised_minor: int, came: tuple[int, int] | None) -> MoneyTotals:
    def text(minor: int) -> str:
        return str(Money.of_minor(minor, currency))

    received_minor, applied_minor = came or (0, 0)
    return MoneyTotals(
        promised=text(promised_minor),
        received=text(received_minor),
        applied_to_promises=text(applied_minor),
        unapplied=text(received_minor - applied_minor),
    )


def _kept_ratio(weights: Counter[str]) -> str | None:
    """Kept ÷ matured, to four decimals, by whatever was counted."""
    matured = sum(weights[status] for status in MATURED)
    return str(round(Decimal(weights[PromiseStatus.KEPT]) / matured, 4)) if matured else None
