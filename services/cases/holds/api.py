"""Routes of holds."""

from typing import Annotated
from uuid import UUID

from fastapi.responses import JSONResponse

from services.cases.casefile import queries as casefile
from services.cases.holds import queries, usecases
from services.cases.holds.schemas import HoldView, PlaceHoldBody, ReleaseHoldBody
from shared.approvals import Approval
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, room
from shared.web.approvals import needs_second_person

router = room("cases", tag="holds")
Placer = Annotated[Actor, allow(*usecases.HOLDERS, Role.CALLER)]
Reader = Annotated[Actor, allow(*usecases.HOLDERS, Role.CALLER, Role.LENDER)]
Holder = Annotated[Actor, allow(*usecases.HOLDERS)]


@router.post("/cases/{case_id}/holds", status_code=201)
async def place_hold(case_id: UUID, body: PlaceHoldBody, actor: Placer, tx: Tx) -> HoldView:
    """Place a hold. Contact stops at once, in every service."""
    return await queries.view(tx, await usecases.place_hold(tx, body.command(case_id), actor=actor))


@router.post("/holds/{hold_id}/release", response_model=HoldView)
async def release_hold(hold_id: UUID, body: ReleaseHoldBody, actor: Holder, tx: Tx) -> HoldView | JSONResponse:
    """Release a hold, with a reason. 409 `second-person` where a colleague must approve it: the request is stored and
    waits at `/cases/v1/approvals`. 409 `complaint-open` where the complaint's answer ends it."""
    done = await usecases.release_hold(tx, body.command(hold_id), actor=actor)
    if isinstance(done, Approval):
        return needs_second_person(done, actor, "/cases/v1/approvals")
    return await queries.view(tx, done)


@router.get("/cases/{case_id}/holds")
async def list_holds(case_id: UUID, actor: Reader, tx: ReadTx, page: Paging) -> Page[HoldView]:
    """The holds of a case, in the order in which they were placed. A lender sees the kind of each and its days."""
    await casefile.check_known(tx, case_id)
    read = queries.list_kinds if actor.has(Role.LENDER) else queries.list_holds
    items = await read(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
