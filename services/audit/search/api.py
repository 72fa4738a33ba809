"""Routes of the search in the trail, for compliance staff."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime

from services.audit.search import queries
from services.audit.trail.schemas import EntryView, ProvenEntryView
from shared.auth import Actor, Role, allow
from shared.errors import Invalid
from shared.web import Page, PageRequest, Paging, ReadTx, cursor_of, room

router = room("audit", tag="search")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]


@router.get("/entries")
async def list_entries(
    _actor: Officer,
    tx: ReadTx,
    page: Paging,
    log: str | None = None,
    case_id: UUID | None = None,
    actor: str | None = None,
    type: str | None = None,
    occurred_from: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    occurred_until: Annotated[AwareDatetime | None, Query(alias="until")] = None,
) -> Page[EntryView]:
    """Entries by log and index, oldest first."""
    case = str(case_id) if case_id else None
    wanted = queries.EntryFilter(log, case, actor, type, occurred_from, occurred_until)
    items = await queries.list_entries(tx, wanted, after=_place(page), limit=page.limit)
    next_cursor = cursor_of(items[-1].log, items[-1].index) if len(items) == page.limit else None
    return Page(items=items, next_cursor=next_cursor)


def _place(page: PageRequest) -> tuple[str, int] | None:
    if page.after is None:
        return None
    if [type(part) for part in page.after] != [str, int]:
        raise Invalid("cursor", "This cursor is not one of ours. Begin again without a cursor.")
    return page.after[0], page.after[1]


@router.get("/entries/{log_id}/{index}")
async def get_entry(
    log_id: str, index: Annotated[int, Path(ge=0, le=2**53)], _actor: Officer, tx: ReadTx
) -> ProvenEntryView:
    """One entry to the byte, with the proof that it is in the log."""
    return await queries.get_entry(tx, log_id, index)
