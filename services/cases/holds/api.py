"""Routes of holds."""

from typing import Annotated
from uuid import UUID

from services.cases.casefile import queries as casefile
from services.cases.holds import queries, usecases
from services.cases.holds.domain import ReleaseHold
from services.cases.holds.schemas import HoldView, PlaceHoldBody
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("cases", tag="holds")
Holder = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("/cases/{case_id}/holds", status_code=201)
async def place_hold(case_id: UUID, body: PlaceHoldBody, actor: Holder, tx: Tx) -> HoldView:
    """Place a hold. Contact stops at once, in every service."""
    return queries.view(await usecases.place_hold(tx, body.command(case_id), actor=actor))


@router.post("/holds/{hold_id}/release")
async def release_hold(hold_id: UUID, actor: Holder, tx: Tx) -> HoldView:
    """Release a hold: an action of its own, by whoever takes the responsibility."""
    return queries.view(await usecases.release_hold(tx, ReleaseHold(hold_id), actor=actor))


@router.get("/cases/{case_id}/holds")
async def list_holds(case_id: UUID, _actor: Holder, tx: ReadTx, page: Paging) -> Page[HoldView]:
    """The holds of a case, in the order in which they were placed."""
    await casefile.get_case(tx, case_id)
    items = await queries.list_holds(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
