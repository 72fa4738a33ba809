"""Reads of recalls."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.recalls.schemas import RecallView
from services.cases.recalls.tables import RecallRow
from shared.database import Transaction


async def list_recalls(tx: Transaction, *, case_id: UUID | None, after: UUID | None, limit: int) -> list[RecallView]:
    """Recalls in the order in which they were made."""
    statement = select(RecallRow).order_by(col(RecallRow.id)).limit(limit)
    if case_id is not None:
        statement = statement.where(col(RecallRow.case_id) == case_id)
    if after is not None:
        statement = statement.where(col(RecallRow.id) > after)
    rows = await tx.session.scalars(statement)
    return [RecallView.model_validate(row.model_dump(exclude={"lender_id"})) for row in rows]
