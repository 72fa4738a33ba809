"""Reads of promises. A lender sees those of its own cases."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.followup.promises.domain import PromiseStatus
from services.followup.promises.schemas import (
    InstalmentView,
    MoneyTotals,
    PromiseCounts,
    PromiseView,
    TotalsView,
)
from services.followup.promises.tables import PromiseRow, ReceivedRow
from services.followup.promises.usecases import instalments_of
from shared.database import Transaction
from shared.events.values import Amount
from shared.money import Money


def view(row: PromiseRow) -> PromiseView:
    def amount(minor: int) -> Amount:
        return Amount.of(Money.of_minor(minor, row.currency))

    fields = row.model_dump(include=set(PromiseView.model_fields) - {"promised", "paid", "instalments"})
    instalments = [
        InstalmentView(due_on=item.due_on, amount=amount(item.amount_minor), paid=amount(item.paid_minor))
        for item in instalments_of(row)
    ]
    return PromiseView(
        **fields, promised=amount(row.promised_minor), paid=amount(row.paid_minor), instalments=instalments
    )


async def list_promises(
    tx: Transaction,
    *,
    lender_id: str | None,
    case_id: UUID | None,
    status: PromiseStatus | None,
    after: UUID | None,
    limit: int,
) -> list[PromiseView]:
    statement = select(PromiseRow).order_by(col(PromiseRow.id)).limit(limit)
    if lender_id is not None:
        statement = statement.where(col(PromiseRow.lender_id) == lender_id)
    if case_id is not None:
        statement = statement.where(col(PromiseRow.case_id) == case_id)
    if status is not None:
        statement = statement.where(col(PromiseRow.status) == status)
    if after is not None:
        statement = statement.where(col(PromiseRow.id) > after)
    return [view(row) for row in await tx.session.scalars(statement)]


async def totals(tx: Transaction, *, lender_id: str | None) -> TotalsView:
    """Counts by status, and sums of money by currency."""
    by_status = select(col(PromiseRow.status), func.count().label("promises")).group_by(col(PromiseRow.status))
    promised = select(col(PromiseRow.currency), func.sum(PromiseRow.promised_minor)).group_by(col(PromiseRow.currency))
    received = select(
        col(ReceivedRow.currency), func.sum(ReceivedRow.amount_minor), func.sum(ReceivedRow.applied_minor)
    ).group_by(col(ReceivedRow.currency))
    if lender_id is not None:
        by_status = by_status.where(col(PromiseRow.lender_id) == lender_id)
        promised = promised.where(col(PromiseRow.lender_id) == lender_id)
        received = received.where(col(ReceivedRow.lender_id) == lender_id)
    counts = {row.status: row.promises for row in (await tx.session.execute(by_status)).all()}
    sums = {currency: int(minor) for currency, minor in (await tx.session.execute(promised)).all()}
    money = {
        currency: (int(amount), int(applied))
        for currency, amount, applied in (await tx.session.execute(received)).all()
    }
    return TotalsView(
        promises=_counts(counts),
        money={
            currency: _money(currency, sums.get(currency, 0), *money.get(currency, (0, 0)))
            for currency in sorted({*sums, *money})
        },
        kept_ratio=_kept_ratio(counts),
    )


def _counts(counts: dict[str, int]) -> PromiseCounts:
    return PromiseCounts(
        made=sum(counts.values()),
        kept=counts.get(PromiseStatus.KEPT, 0),
        partially_kept=counts.get(PromiseStatus.PARTIALLY_KEPT, 0),
        broken=counts.get(PromiseStatus.BROKEN, 0),
        open=counts.get(PromiseStatus.ACTIVE, 0) + counts.get(PromiseStatus.PENDING_APPROVAL, 0),
        cancelled=counts.get(PromiseStatus.CANCELLED, 0),
        superseded=counts.get(PromiseStatus.SUPERSEDED, 0),
    )


def _money(currency: str, promised: int, received: int, applied: int) -> MoneyTotals:
    def text(minor: int) -> str:
        return str(Money.of_minor(minor, currency))

    return MoneyTotals(
        promised=text(promised),
        received=text(received),
        applied_to_promises=text(applied),
        unapplied=text(received - applied),
    )


def _kept_ratio(counts: dict[str, int]) -> str | None:
    matured = sum(
        counts.get(status, 0) for status in (PromiseStatus.KEPT, PromiseStatus.PARTIALLY_KEPT, PromiseStatus.BROKEN)
    )
    return str(round(Decimal(counts.get(PromiseStatus.KEPT, 0)) / matured, 4)) if matured else None
