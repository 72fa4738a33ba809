"""Reads of holds."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.holds.schemas import HoldView
from services.cases.holds.tables import HoldRow
from shared.database import Transaction


def view(row: HoldRow) -> HoldView:
    return HoldView.model_validate(row.model_dump())


async def holds_of(tx: Transaction, case_id: UUID) -> list[HoldView]:
    """Every hold of a case, ended ones included."""
    rows = await tx.session.scalars(select(HoldRow).where(col(HoldRow.case_id) == case_id).order_by(col(HoldRow.id)))
    return [view(row) for row in rows]
