"""Reads of placements."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.base import TABLES
from services.cases.placements.schemas import Control, PlacementView, RowErrorView
from services.cases.placements.tables import PlacementRow
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.values import Amount
from shared.listing import page_of
from shared.money import Money

ENDED = ("DONE", "REFUSED")


async def get_placement(tx: Transaction, placement_id: UUID) -> PlacementView:
    """Raises NotFound."""
    return view(await get_row(tx, placement_id))


async def get_row(tx: Transaction, placement_id: UUID) -> PlacementRow:
    """Raises NotFound."""
    row = await tx.session.get(PlacementRow, placement_id)
    if row is None:
        raise NotFound("placement-not-found", "There is no such placement here.")
    return row


async def list_placements(
    tx: Transaction, *, lender_id: str | None, profile_version: int | None, after: UUID | None, limit: int
) -> list[PlacementView]:
    """Files in the order in which they were received."""
    statement = select(PlacementRow)
    for column, value in (
        (col(PlacementRow.lender_id), lender_id),
        (col(PlacementRow.profile_version), profile_version),
    ):
        if value is not None:
            statement = statement.where(column == value)
    statement = page_of(statement, col(PlacementRow.id), after=after, limit=limit)
    return [view(row) for row in await tx.session.scalars(statement)]


def view(row: PlacementRow) -> PlacementView:
    rejected = sum(row.rejected_by_code.values())
    balances = [Money.of_minor(minor, currency) for currency, minor in sorted(row.accepted_minor.items())]
    return PlacementView(
        id=row.id,
        lender_id=row.lender_id,
        status=row.status,
        problem=row.problem,
        received_at=row.received_at,
        profile_version=row.profile_version,
        received=row.next_row,
        accepted=row.accepted,
        updated=row.updated,
        rejected=rejected,
        rejected_by_code=dict(sorted(row.rejected_by_code.items())),
        accepted_balance=[Amount.of(balance) for balance in balances],
        control=_control(row),
    )


def _control(row: PlacementRow) -> Control:
    if row.status not in ENDED:
        return Control(rows_match=None, balance_match=None)
    rows_match = None if row.control_rows is None else row.control_rows == row.next_row
    wanted = row.control_balance_minor
    return Control(
        rows_match=rows_match,
        balance_match=None if wanted is None else wanted == sum(row.accepted_minor.values()),
    )


async def list_errors(
    tx: Transaction, placement_id: UUID, *, after: int | None, limit: int
) -> list[tuple[int, RowErrorView]]:
    """Refused rows in the order of the file, each with its number."""
    outcomes = await TABLES.jobs.outcomes(tx, placement_id, after=after, limit=limit)
    return [
        (each.item, RowErrorView(line=each.line, field=each.field, code=each.code, message=each.message))
        for each in outcomes
    ]
