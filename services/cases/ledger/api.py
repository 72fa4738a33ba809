"""The route of the reconciliation list."""

from typing import Annotated
from uuid import UUID

from services.cases.ledger import queries
from services.cases.ledger.schemas import AccountDifferencesView
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, room

router = room("cases", tag="ledger")
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.get("/differences")
async def list_differences(_actor: Reader, tx: ReadTx, page: Paging) -> Page[AccountDifferencesView]:
    """The reconciliation list: accounts whose statements the reported lines do not explain, receipts that no line
    confirms, reversals without a payment. A lender sees its own. An item leaves the list when the missing line arrives
    or a person settles it."""
    items = await queries.list_differences(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.account_id)
