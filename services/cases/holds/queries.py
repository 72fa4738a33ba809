"""Reads of holds."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.holds.schemas import HoldView
from services.cases.holds.tables import HoldRow
from shared.database import Transaction


def view(row: HoldRow) -> HoldView:
    return HoldView.model_validate(row.model_dump())


async def list_holds(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[HoldView]:
    """Holds of a case in the order in which they were placed, ended ones included."""
    statement = select(HoldRow).where(col(HoldRow.case_id) == case_id).order_by(col(HoldRow.id)).limit(limit)
    if after is not None:
        statement = statement.where(col(HoldRow.id) > after)
    return [view(row) for row in await tx.session.scalars(statement)]
