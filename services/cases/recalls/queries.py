"""Reads of recalls."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.recalls.schemas import RecallView
from services.cases.recalls.tables import RecallRow
from shared.database import Transaction
from shared.listing import page_of


async def list_recalls(tx: Transaction, *, case_id: UUID | None, after: UUID | None, limit: int) -> list[RecallView]:
    """Recalls in the order in which they were made."""
    statement = select(RecallRow)
    if case_id is not None:
        statement = statement.where(col(RecallRow.case_id) == case_id)
    rows = await tx.session.scalars(page_of(statement, col(RecallRow.id), after=after, limit=limit))
    return [RecallView.model_validate(row.model_dump(exclude={"lender_id"})) for row in rows]
