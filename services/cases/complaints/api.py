"""Routes of complaints."""

from typing import Annotated
from uuid import UUID

from services.cases.complaints import queries, usecases
from services.cases.complaints.schemas import ComplaintView, FileComplaintBody, ResolveComplaintBody
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("cases", tag="complaints")
Filer = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.CALLER, Role.LENDER)]
Officer = Annotated[Actor, allow(Role.COMPLIANCE)]


@router.post("/cases/{case_id}/complaints", status_code=201)
async def file_complaint(case_id: UUID, body: FileComplaintBody, actor: Filer, tx: Tx) -> ComplaintView:
    """File a complaint. Contact stops until it is resolved; the answer is due by the day that the law sets. A
    caller files what came by CALL."""
    return queries.view(await usecases.file_complaint(tx, body.command(case_id), actor=actor), tx.now)


@router.post("/complaints/{complaint_id}/resolve")
async def resolve_complaint(complaint_id: UUID, body: ResolveComplaintBody, actor: Officer, tx: Tx) -> ComplaintView:
    """Write down what came of a complaint, and how it was answered. Its hold is released."""
    return queries.view(await usecases.resolve_complaint(tx, body.command(complaint_id), actor=actor), tx.now)


@router.get("/complaints")
async def list_complaints(
    _actor: Filer,
    tx: ReadTx,
    page: Paging,
    case_id: UUID | None = None,
    resolved: bool | None = None,
    overdue: bool | None = None,
) -> Page[ComplaintView]:
    """Complaints; `overdue=true&resolved=false` are those that must be answered now. A lender sees its own."""
    wanted = queries.ComplaintFilter(case_id, resolved, overdue)
    items = await queries.list_complaints(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
