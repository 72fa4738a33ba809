"""Reads of contact attempts."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.contacts.schemas import AttemptView
from services.cases.contacts.tables import ContactAttemptRow
from shared.database import Transaction
from shared.listing import page_of


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    case_id: UUID | None = None
    flagged: bool | None = None


async def list_attempts(tx: Transaction, wanted: AttemptFilter, *, after: UUID | None, limit: int) -> list[AttemptView]:
    """Attempts in the order in which they were recorded."""
    statement = select(ContactAttemptRow)
    if wanted.case_id is not None:
        statement = statement.where(col(ContactAttemptRow.case_id) == wanted.case_id)
    if wanted.flagged is not None:
        statement = statement.where(col(ContactAttemptRow.is_flagged).is_(wanted.flagged))
    statement = page_of(statement, col(ContactAttemptRow.id), after=after, limit=limit)
    rows = await tx.session.scalars(statement)
    return [AttemptView.model_validate(row.model_dump(exclude={"is_flagged", "lender_id"})) for row in rows]
