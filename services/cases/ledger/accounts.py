"""Find accounts, and open them with their first statement: a batch at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlmodel import col

from services.cases.ledger.books import first_entry
from services.cases.ledger.domain.accounts import OpenAccount, Stated
from services.cases.ledger.domain.ageing import days_past_due
from services.cases.ledger.domain.life import State
from services.cases.ledger.tables import AccountRow, LedgerEntryRow
from shared.bulk import among, each_of
from shared.database import Transaction
from shared.ids import new_id


async def by_reference(tx: Transaction, lender_id: str, references: Collection[str]) -> dict[str, AccountRow]:
    """A lender's accounts, by its references. References that are not known are left out."""
    of_lender = col(AccountRow.lender_id) == lender_id
    rows = await tx.session.scalars(each_of(tx, AccountRow, col(AccountRow.account_ref), references, of_lender))
    return {row.account_ref: row for row in rows}


async def of_cases(tx: Transaction, case_ids: Collection[UUID]) -> list[AccountRow]:
    """The accounts of these cases, in the order in which they were opened."""
    wanted = among(tx, col(AccountRow.case_id), list(case_ids))
    rows = await tx.session.scalars(select(AccountRow).where(wanted).order_by(col(AccountRow.id)))
    return list(rows)


async def case_of_account(tx: Transaction, lender_id: str, account_ref: str) -> UUID | None:
    """The case of a lender's account, by the lender's reference."""
    statement = select(col(AccountRow.case_id)).where(
        col(AccountRow.lender_id) == lender_id, col(AccountRow.account_ref) == account_ref
    )
    case_id: UUID | None = await tx.session.scalar(statement)
    return case_id


@dataclass(frozen=True, slots=True)
class Late:
    """How late a case is, and whether something in it changes with the days alone."""

    days_past_due: int
    unsettled: bool


async def age_all(tx: Transaction, case_ids: Collection[UUID], today: date) -> dict[UUID, Late]:
    """Give the open accounts of locked cases the days past due of a day. Returns the greatest of each case."""
    found = {case_id: Late(0, unsettled=False) for case_id in case_ids}
    for row in await of_cases(tx, case_ids):
        if row.state == State.OPEN:
            days = days_past_due(row.stated_days, row.stated_on, row.balance_minor, today)
            if days != row.days_past_due:
                row.days_past_due = days
        late = found[row.case_id]
        found[row.case_id] = Late(max(late.days_past_due, row.days_past_due), late.unsettled or row.unsettled)
    return found


def age_on(stated: Stated, today: date) -> int:
    """How many days past due an account is that has this statement alone."""
    return days_past_due(stated.days_past_due, stated.days.value_date, stated.amount_minor, today)


async def open_all(tx: Transaction, opened: Sequence[tuple[OpenAccount, Stated]], today: date) -> None:
    """Open accounts of cases that exist, or that this transaction opens. The caller sets what the cases owe."""
    accounts: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for command, stated in opened:
        account_id = new_id()
        accounts.append(
            {
                "id": account_id,
                "case_id": command.case_id,
                "lender_id": command.lender_id,
                "account_ref": command.account_ref,
                "product": command.product,
                "currency": command.currency,
                "state": State.OPEN,
                "balance_minor": stated.amount_minor,
                "asked_minor": stated.amount_minor,
                "days_past_due": age_on(stated, today),
                "stated_days": stated.days_past_due,
                "stated_on": stated.days.value_date,
                "entries": 1,
            }
        )
        entries.append(first_entry(account_id, command, stated, tx.now))
    if accounts:
        await tx.session.execute(insert(AccountRow), accounts)
        await tx.session.execute(insert(LedgerEntryRow), entries)
