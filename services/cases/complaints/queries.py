"""Reads of complaints."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, not_, or_, select
from sqlmodel import col

from services.cases.complaints.schemas import ComplaintView
from services.cases.complaints.tables import ComplaintRow
from shared.database import Transaction
from shared.listing import page_of


@dataclass(frozen=True, slots=True)
class ComplaintFilter:
    case_id: UUID | None = None
    resolved: bool | None = None
    overdue: bool | None = None


def view(row: ComplaintRow, now: datetime) -> ComplaintView:
    late = row.answer_due_at <= (row.resolved_at or now)
    return ComplaintView(**row.model_dump(exclude={"lender_id", "answer_due_at"}), overdue=late)


async def list_complaints(
    tx: Transaction, wanted: ComplaintFilter, *, after: UUID | None, limit: int
) -> list[ComplaintView]:
    """Complaints in the order in which they were recorded. One is overdue where its day passed without an answer."""
    statement = select(ComplaintRow)
    if wanted.case_id is not None:
        statement = statement.where(col(ComplaintRow.case_id) == wanted.case_id)
    if wanted.resolved is not None:
        answered = col(ComplaintRow.resolved_at).is_not(None)
        statement = statement.where(answered if wanted.resolved else not_(answered))
    if wanted.overdue is not None:
        due = col(ComplaintRow.answer_due_at)
        late = or_(and_(col(ComplaintRow.resolved_at).is_(None), due <= tx.now), due <= col(ComplaintRow.resolved_at))
        statement = statement.where(late if wanted.overdue else not_(late))
    statement = page_of(statement, col(ComplaintRow.id), after=after, limit=limit)
    return [view(row, tx.now) for row in await tx.session.scalars(statement)]
