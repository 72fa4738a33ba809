"""Sums of the books."""

from sqlalchemy import case, func, select
from sqlmodel import col

from services.cases.ledger.domain.life import GONE
from services.cases.ledger.schemas import CurrencyTotals
from services.cases.ledger.tables import AccountRow
from shared.database import Transaction
from shared.money import Money
from shared.sums import exact_sum


async def totals(tx: Transaction) -> list[CurrencyTotals]:
    """Per currency: what was received, what is still owed, what was paid beyond it. Accounts that went back to the
    lender owe nothing here."""
    balance = case((col(AccountRow.state).in_(sorted(GONE)), 0), else_=col(AccountRow.balance_minor))
    statement = select(
        col(AccountRow.currency),
        exact_sum(col(AccountRow.received_minor)),
        exact_sum(case((balance > 0, balance), else_=0)),
        exact_sum(case((balance < 0, -balance), else_=0)),
        func.sum(col(AccountRow.payments)),
    ).group_by(col(AccountRow.currency))
    return [
        CurrencyTotals(
            currency=currency,
            received=str(Money.of_minor(received, currency)),
            outstanding=str(Money.of_minor(owed, currency)),
            overpaid=str(Money.of_minor(overpaid, currency)),
            payments=count,
        )
        for currency, received, owed, overpaid, count in sorted((await tx.session.execute(statement)).all())
    ]
