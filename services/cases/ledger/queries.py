"""Reads of the books: sums, and the reconciliation list."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlmodel import col

from services.cases.ledger.books import Books, open_books
from services.cases.ledger.domain.balance import newest_statement
from services.cases.ledger.domain.life import GONE
from services.cases.ledger.schemas import AccountDifferencesView, CurrencyTotals, DifferenceView, OpeningView
from services.cases.ledger.tables import AccountRow
from services.cases.lenders import usecases as lenders
from shared.database import Transaction
from shared.events.values import Amount
from shared.listing import page_of
from shared.money import Money
from shared.sums import exact_sum

OPENING = "opening"  # the source of the entries that the migration wrote


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


async def list_differences(tx: Transaction, *, after: UUID | None, limit: int) -> list[AccountDifferencesView]:
    """Accounts with something that is not explained, in the order in which they were opened."""
    listed = or_(col(AccountRow.differences) > 0, col(AccountRow.opening).is_not(None))
    statement = select(AccountRow).where(listed)
    statement = page_of(statement, col(AccountRow.id), after=after, limit=limit)
    rows = (await tx.session.scalars(statement)).all()
    books = {lender_id: await _books(tx, lender_id, rows) for lender_id in sorted({row.lender_id for row in rows})}
    return [_differences(row, books[row.lender_id]) for row in rows]


async def _books(tx: Transaction, lender_id: str, rows: Sequence[AccountRow]) -> Books:
    """The books of a lender's cases, to look at."""
    _, profile = await lenders.profile_of(tx, lender_id)
    return await open_books(tx, {row.case_id for row in rows if row.lender_id == lender_id}, profile)


def _differences(row: AccountRow, books: Books) -> AccountDifferencesView:
    return AccountDifferencesView(
        account_id=row.id,
        account_ref=row.account_ref,
        case_id=row.case_id,
        lender_id=row.lender_id,
        items=[
            DifferenceView(
                cause=each.cause,
                amount=_amount(each.amount_minor, row.currency),
                since=each.since,
                until=each.until,
                references=list(each.references),
            )
            for each in books.differences(row.case_id)
            if each.account_id == row.id
        ],
        opening=_opening(row, books),
    )


def _opening(row: AccountRow, books: Books) -> OpeningView | None:
    if row.opening is None or newest_statement(books.entries(row.id)).source != OPENING:
        return None
    return OpeningView(
        causes=row.opening["causes"],
        owed=_amount(row.opening["owed_minor"], row.currency),
        overpaid=_amount(row.opening["overpaid_minor"], row.currency),
    )


def _amount(minor: int, currency: str) -> Amount:
    return Amount.of(Money.of_minor(minor, currency))
