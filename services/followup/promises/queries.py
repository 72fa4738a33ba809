"""Reads of promises."""

from collections import Counter
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.followup.promises.domain import MATURED, PromiseStatus
from services.followup.promises.schemas import (
    AppliedView,
    InstalmentView,
    MoneyTotals,
    PromiseCounts,
    PromiseDetailView,
    PromiseView,
    TotalsView,
)
from services.followup.promises.tables import ApplicationRow, PromiseRow, ReceivedRow
from shared.database import Transaction
from shared.events.values import Amount
from shared.money import Money
from shared.sums import exact_sum

_BUILT = {"promised", "paid", "instalments"}


def view(row: PromiseRow) -> PromiseView:
    def amount(minor: int) -> Amount:
        return Amount.of(Money.of_minor(minor, row.currency))

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
    )


async def detail(tx: Transaction, row: PromiseRow) -> PromiseDetailView:
    """A promise with the payments that went to it, by their days."""
    found = await tx.session.execute(
        select(ReceivedRow, ApplicationRow)
        .join(ApplicationRow, col(ApplicationRow.payment_id) == col(ReceivedRow.payment_id))
        .where(col(ApplicationRow.promise_id) == row.id, col(ApplicationRow.amount_minor) > 0)
        .order_by(col(ReceivedRow.received_on), col(ReceivedRow.payment_id))
    )
    payments = [
        AppliedView(
            payment_id=payment.payment_id,
            received_on=payment.received_on,
            amount=Amount.of(Money.of_minor(payment.amount_minor, row.currency)),
            applied=Amount.of(Money.of_minor(application.amount_minor, row.currency)),
        )
        for payment, application in found
    ]
    return PromiseDetailView(**dict(view(row)), payments=payments)


async def list_promises(
    tx: Transaction,
    *,
    case_id: UUID | None,
    status: PromiseStatus | None,
    after: UUID | None,
    limit: int,
) -> list[PromiseView]:
    statement = select(PromiseRow).order_by(col(PromiseRow.id)).limit(limit)
    if case_id is not None:
        statement = statement.where(col(PromiseRow.case_id) == case_id)
    if status is not None:
        statement = statement.where(col(PromiseRow.status) == status)
    if after is not None:
        statement = statement.where(col(PromiseRow.id) > after)
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
        open=counts[PromiseStatus.ACTIVE] + counts[PromiseStatus.PENDING_APPROVAL],
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
