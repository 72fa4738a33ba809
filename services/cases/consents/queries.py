"""Reads of consents, quiet periods and contact preferences."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.consents.schemas import ConsentView, PreferenceView, QuietPeriodView
from services.cases.consents.tables import ConsentRow, PreferenceRow, QuietPeriodRow
from shared.database import Transaction
from shared.errors import NotFound
from shared.listing import page_of


def consent_view(row: ConsentRow) -> ConsentView:
    return ConsentView.model_validate(row.model_dump())


def preference_view(row: PreferenceRow) -> PreferenceView:
    return PreferenceView.model_validate(row.model_dump(exclude={"version"}))


async def list_consents(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[ConsentView]:
    """The consents of a case, withdrawn ones included, in the order in which they were recorded."""
    statement = select(ConsentRow).where(col(ConsentRow.case_id) == case_id)
    statement = page_of(statement, col(ConsentRow.id), after=after, limit=limit)
    return [consent_view(row) for row in await tx.session.scalars(statement)]


def quiet_view(row: QuietPeriodRow) -> QuietPeriodView:
    return QuietPeriodView.model_validate(row.model_dump())


async def list_quiet_periods(
    tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int
) -> list[QuietPeriodView]:
    """The quiet periods of a case, in the order in which they were recorded."""
    statement = select(QuietPeriodRow).where(col(QuietPeriodRow.case_id) == case_id)
    statement = page_of(statement, col(QuietPeriodRow.id), after=after, limit=limit)
    return [quiet_view(row) for row in await tx.session.scalars(statement)]


async def preference_of(tx: Transaction, case_id: UUID) -> tuple[PreferenceView, int]:
    """What the debtor prefers, and its version. Raises NotFound where nothing was said."""
    row = await tx.session.get(PreferenceRow, case_id)
    if row is None:
        raise NotFound("preference-not-found", "No preference is recorded for this debtor: PUT one at this address.")
    return preference_view(row), row.version
