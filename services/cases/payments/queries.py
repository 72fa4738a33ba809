"""Reads of lines that were set aside."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.payments.schemas import SetAsideView
from services.cases.payments.tables import SetAsideRow
from shared.database import Transaction
from shared.listing import page_of


async def list_set_aside(
    tx: Transaction,
    *,
    lender_id: str | None,
    status: str | None,
    why: str | None,
    after: UUID | None,
    limit: int,
) -> list[SetAsideView]:
    """Lines that were set aside, in the order in which they came."""
    statement = page_of(select(SetAsideRow), col(SetAsideRow.id), after=after, limit=limit)
    for column, value in (
        (col(SetAsideRow.lender_id), lender_id),
        (col(SetAsideRow.status), status),
        (col(SetAsideRow.why), why),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return [view(row) for row in await tx.session.scalars(statement)]


def view(row: SetAsideRow) -> SetAsideView:
    return SetAsideView.model_validate(row.model_dump())
