"""Routes of the books: accounts with their entries and balances, and the reconciliation list."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.cases.ledger import account_queries, queries
from services.cases.ledger.domain.life import State
from services.cases.ledger.schemas import AccountDifferencesView, AccountStateView, BalanceView, EntryView
from shared.auth import Actor, Role, allow
from shared.law import StatedDay
from shared.web import Page, Paging, ReadTx, room

router = room("cases", tag="ledger")
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]
Named = Annotated[str | None, Query(max_length=64)]


@router.get("/accounts")
async def list_accounts(
    _actor: Reader,
    tx: ReadTx,
    page: Paging,
    lender_id: str | None = None,
    case_id: UUID | None = None,
    account_ref: Named = None,
    state: State | None = None,
) -> Page[AccountStateView]:
    """Accounts in the order in which they were opened. A lender sees its own."""
    wanted = account_queries.AccountFilter(lender_id, case_id, account_ref, state)
    items = await account_queries.list_accounts(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/accounts/{account_id}/entries")
async def list_entries(account_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[EntryView]:
    """All entries of an account in the order in which they were stored. None is ever changed or removed."""
    items = await account_queries.list_entries(tx, account_id, after=page.after(int), limit=page.fetch)
    return page.of(items, key=lambda item: item.seq)


@router.get("/accounts/{account_id}/balance")
async def get_balance(account_id: UUID, _actor: Reader, tx: ReadTx, on: StatedDay | None = None) -> BalanceView:
    """What the books said of an account at the end of the day `on` at its lender (default: now): the statement, each
    line that counts, each that does not, and why. Entries that came later are left out."""
    return await account_queries.balance_on(tx, account_id, on)


@router.get("/differences")
async def list_differences(_actor: Reader, tx: ReadTx, page: Paging) -> Page[AccountDifferencesView]:
    """The reconciliation list: accounts whose statements the reported lines do not explain, receipts that no line
    confirms, reversals without a payment. A lender sees its own. An item leaves the list when the missing line arrives
    or a person settles it."""
    items = await queries.list_differences(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.account_id)
