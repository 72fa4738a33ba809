"""Routes of promises."""

from typing import Annotated
from uuid import UUID

from fastapi import Response

from services.followup.promises import old_judgements, queries, usecases
from services.followup.promises.domain import PromiseStatus
from services.followup.promises.schemas import (
    CancelPromiseBody,
    MakePromiseBody,
    OldJudgementView,
    PromiseDetailView,
    PromiseView,
    TotalsView,
)
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, etag, room

router = room("followup", tag="promises")
Reader = Annotated[Actor, allow(Role.LENDER, Role.CALLER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]
Counter = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]
Maker = Annotated[Actor, allow(Role.CALLER, Role.SUPERVISOR)]
Reviewer = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE)]
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]


@router.post("/promises", status_code=201)
async def make_promise(body: MakePromiseBody, response: Response, _actor: Maker, tx: Tx) -> PromiseView:
    """Record a promise that the debtor made by phone. It takes the place of an earlier one that names one of its
    accounts. The lender's terms hold where the body says nothing."""
    row = await usecases.promise_by_phone(tx, body.command())
    response.headers["ETag"] = etag(row.revision)
    return queries.view(row)


@router.get("/promises")
async def list_promises(
    _actor: Reader, tx: ReadTx, page: Paging, case_id: UUID | None = None, status: PromiseStatus | None = None
) -> Page[PromiseView]:
    """Promises in the order in which they were made. A lender sees those of its own cases."""
    items = await queries.list_promises(tx, case_id=case_id, status=status, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/promises/totals")
async def promise_totals(_actor: Counter, tx: ReadTx) -> TotalsView:
    """How many promises were made and how they ended; how much money came, and how much of it was promised."""
    return await queries.totals(tx)


@router.get("/promises/old-judgements")
async def list_old_judgements(_actor: Reviewer, tx: ReadTx, page: Paging) -> Page[OldJudgementView]:
    """Promises that an earlier release judged, and that would be judged otherwise now. They keep their judgement. A
    page looks at `limit` promises and lists those of them that differ: it may be empty and have a next one."""
    rows = await old_judgements.frozen_promises(tx, after=page.after(UUID), limit=page.fetch)
    looked_at = page.of(rows, key=lambda row: row.id)
    items = await old_judgements.that_would_be_another(tx, looked_at.items, tx.now)
    return Page(items=items, next_cursor=looked_at.next_cursor)


@router.get("/promises/{promise_id}")
async def get_promise(promise_id: UUID, _actor: Reader, tx: ReadTx, response: Response) -> PromiseDetailView:
    """One promise with its instalments, and the payments that went to it."""
    row = await usecases.get_promise(tx, promise_id)
    response.headers["ETag"] = etag(row.revision)
    return await queries.detail(tx, row)


@router.post("/promises/{promise_id}/cancel")
async def cancel_promise(
    promise_id: UUID, body: CancelPromiseBody, response: Response, _actor: Supervisor, tx: Tx, seen: SeenVersion
) -> PromiseView:
    """Take an active promise back, for a coded reason."""
    case, row = await usecases.lock_promise(tx, promise_id)
    seen.check(row.revision)
    usecases.cancel_promise(tx, case, row, reason=body.reason)
    response.headers["ETag"] = etag(row.revision)
    return queries.view(row)
