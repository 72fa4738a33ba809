"""Routes of the cases themselves."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.cases.casefile import queries
from services.cases.casefile.schemas import CaseFileView, CaseView
from shared.auth import Actor, Role, allow
from shared.money import AMOUNT_MINOR_MAX
from shared.web import Page, Paging, ReadTx, room

router = room("cases", tag="cases")
Reader = Annotated[Actor, allow(Role.LENDER, Role.CALLER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.get("/cases")
async def list_cases(
    _actor: Reader,
    tx: ReadTx,
    page: Paging,
    lender_id: str | None = None,
    bucket: Annotated[str | None, Query(pattern=r"^M[1-7]\+?$")] = None,
    referred: bool | None = None,
    held: bool | None = None,
    balance_minor_min: Annotated[int | None, Query(ge=0, le=AMOUNT_MINOR_MAX)] = None,
) -> Page[CaseView]:
    """Cases in the order in which they were opened. A lender sees its own; of another `lender_id` it sees none."""
    wanted = queries.CaseFilter(lender_id, bucket, referred, held, balance_minor_min)
    items = await queries.list_cases(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/cases/{case_id}")
async def get_case(case_id: UUID, _actor: Reader, tx: ReadTx) -> CaseFileView:
    """One case with its timeline. No personal data: see the dossier."""
    return await queries.get_case(tx, case_id)
