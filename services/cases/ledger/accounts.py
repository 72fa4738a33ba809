"""Accounts: found by the lender's reference, opened, and stated again by the lender's next file.

Their rows still lie in the room casefile, whose views show them; issue 16 brings them here."""

from collections.abc import Collection, Sequence

from sqlalchemy import insert
from sqlmodel import col

from services.cases.casefile.tables import AccountRow
from services.cases.ledger.domain import OpenAccount
from shared.bulk import each_of
from shared.database import Transaction
from shared.ids import new_id


async def by_reference(tx: Transaction, lender_id: str, references: Collection[str]) -> dict[str, AccountRow]:
    """A lender's accounts, by its references. References that are not known are left out."""
    of_lender = col(AccountRow.lender_id) == lender_id
    rows = await tx.session.scalars(each_of(tx, AccountRow, col(AccountRow.account_ref), references, of_lender))
    return {row.account_ref: row for row in rows}


async def open_all(tx: Transaction, commands: Sequence[OpenAccount]) -> None:
    """Open accounts of cases that exist, or that this transaction opens."""
    if commands:
        await tx.session.execute(insert(AccountRow), [{"id": new_id(), **vars(command)} for command in commands])


def restate(account: AccountRow, balance_minor: int, days_past_due: int) -> None:
    """The lender states what an account owes now (minor units). The caller has locked the case and changes its balance,
    too."""
    account.balance_minor, account.days_past_due = balance_minor, days_past_due
