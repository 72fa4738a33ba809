"""Routes of recalls."""

from typing import Annotated
from uuid import UUID

from services.cases.recalls import queries, usecases
from services.cases.recalls.schemas import RecallResultsView, RecallsBody, RecallView
from shared.auth import Actor, Role, allow
from shared.errors import Invalid
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("cases", tag="recalls")
Recaller = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR)]
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.post("/recalls")
async def recall_accounts(body: RecallsBody, actor: Recaller, tx: Tx) -> RecallResultsView:
    """Take accounts back, for coded reasons: the lender, or a supervisor for it. What is recalled is no longer owed to
    us; a case whose last account is recalled is not contacted any more, and its planned visits are taken off."""
    lender_id = actor.lender_id or body.lender_id
    if lender_id is None:
        raise Invalid("lender", "Name the lender for which you act: `lender_id`.")
    if body.lender_id not in (None, lender_id):
        raise Invalid("lender", "`lender_id` is another lender: leave it out.")
    return RecallResultsView(items=await usecases.recall(tx, body.accounts, lender_id=lender_id, actor=actor))


@router.get("/recalls")
async def list_recalls(_actor: Reader, tx: ReadTx, page: Paging, case_id: UUID | None = None) -> Page[RecallView]:
    """Accounts that were taken back, in the order in which that was said. A lender sees its own."""
    items = await queries.list_recalls(tx, case_id=case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
