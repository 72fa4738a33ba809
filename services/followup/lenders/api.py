"""Routes of a lender's terms of promises."""

from typing import Annotated

from fastapi import Path, Response

from services.followup.lenders import queries, usecases
from services.followup.lenders.domain import LenderTerms
from services.followup.lenders.schemas import LenderTermsBody, LenderTermsView
from shared.auth import Actor, Role, allow
from shared.claims import LENDER_ID
from shared.errors import NotFound
from shared.web import ReadTx, SeenVersion, Tx, etag, room

router = room("followup", tag="lenders")
Admin = Annotated[Actor, allow(Role.ADMIN)]
Reader = Annotated[Actor, allow(Role.ADMIN, Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.CALLER)]
LenderId = Annotated[str, Path(pattern=f"^{LENDER_ID.pattern}$")]


@router.put("/lenders/{lender_id}/promise-terms")
async def record_terms(
    lender_id: LenderId, body: LenderTermsBody, response: Response, _actor: Admin, tx: Tx, seen: SeenVersion
) -> LenderTermsView:
    """Record what the lender counts as late and as paid. It holds for promises that are made from now on."""
    row = await usecases.row_of(tx, lender_id, lock=True)
    seen.check(row.version)
    terms = LenderTerms(
        grace_days=body.grace_days,
        grace_in=body.grace_in,
        tolerance=body.tolerance,
        may_lack=body.may_lack.money if body.may_lack else None,
        on_missed=body.on_missed,
    )
    await usecases.record(tx, row, terms)
    response.headers["ETag"] = etag(row.version)
    return queries.view(row)


@router.get("/lenders/{lender_id}/promise-terms")
async def get_terms(lender_id: LenderId, actor: Reader, tx: ReadTx, response: Response) -> LenderTermsView:
    """The lender's terms, or the house's where it has recorded none. A lender reads its own."""
    if actor.lender_id not in (None, lender_id):
        raise NotFound("lender-not-found", "There is no such lender here.")
    row = await usecases.row_of(tx, lender_id)
    response.headers["ETag"] = etag(row.version)
    return queries.view(row)
