"""Reads about debtors that hold no personal data."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.debtors.schemas import NoticeRecordView
from services.cases.debtors.tables import NoticeRow
from shared.database import Transaction
from shared.listing import page_of


async def list_notices(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[NoticeRecordView]:
    """What the debtor was sent, in the order in which it was recorded."""
    statement = select(NoticeRow).where(col(NoticeRow.case_id) == case_id)
    statement = page_of(statement, col(NoticeRow.id), after=after, limit=limit)
    return [NoticeRecordView.model_validate(row.model_dump()) for row in await tx.session.scalars(statement)]
