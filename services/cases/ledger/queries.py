"""Sums of the ledger."""

from sqlalchemy import func, select
from sqlmodel import col

from services.cases.casefile.tables import CaseRow
from services.cases.ledger.schemas import CurrencyTotals
from services.cases.ledger.tables import PaymentRow
from shared.database import Transaction
from shared.money import Money
from shared.sums import exact_sum


async def totals(tx: Transaction) -> list[CurrencyTotals]:
    """Per currency: what was received, what is still owed, what was paid beyond it."""
    paid = select(col(PaymentRow.currency), exact_sum(PaymentRow.amount_minor), func.count()).group_by(
        col(PaymentRow.currency)
    )
    owed = select(col(CaseRow.currency), exact_sum(CaseRow.balance_minor), exact_sum(CaseRow.overpaid_minor)).group_by(
        col(CaseRow.currency)
    )
    received = {currency: (minor, count) for currency, minor, count in (await tx.session.execute(paid)).all()}
    sums = []
    for currency, balance, overpaid in sorted((await tx.session.execute(owed)).all()):
        minor, count = received.get(currency, (0, 0))
        sums.append(
            CurrencyTotals(
                currency=currency,
                received=str(Money.of_minor(minor, currency)),
                outstanding=str(Money.of_minor(balance, currency)),
                overpaid=str(Money.of_minor(overpaid, currency)),
                payments=count,
            )
        )
    return sums
