"""Reads of holds."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.holds.schemas import HoldView
from services.cases.holds.tables import WHY, HoldRow
from shared.database import Transaction
from shared.listing import page_of
from shared.vault import Item


async def views(tx: Transaction, rows: Sequence[HoldRow]) -> list[HoldView]:
    """Holds with the reasons of their releases; a reason that was erased is absent."""
    sealed = [Item(row.keys, row.place_of_why, row.sealed_why) for row in rows if row.sealed_why is not None]
    opened = iter(await tx.vault.open_all(WHY, sealed))
    found = []
    for row in rows:
        why = next(opened) if row.sealed_why is not None else None
        values = row.model_dump(exclude={"sealed_why"})
        found.append(HoldView(**values, release_reason=None if why is None else why.decode()))
    return found


async def view(tx: Transaction, row: HoldRow) -> HoldView:
    [found] = await views(tx, [row])
    return found


async def list_holds(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[HoldView]:
    """Holds of a case in the order in which they were placed, ended ones included."""
    return await views(tx, await _page(tx, case_id, after, limit))


async def list_kinds(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[HoldView]:
    """The same list for a lender: without the persons and their reasons."""
    unsaid = dict.fromkeys(("placed_by", "released_by", "release_reason"))
    return [
        HoldView(**row.model_dump(exclude={"sealed_why"}) | unsaid) for row in await _page(tx, case_id, after, limit)
    ]


async def _page(tx: Transaction, case_id: UUID, after: UUID | None, limit: int) -> Sequence[HoldRow]:
    statement = select(HoldRow).where(col(HoldRow.case_id) == case_id)
    statement = page_of(statement, col(HoldRow.id), after=after, limit=limit)
    return (await tx.session.scalars(statement)).all()
