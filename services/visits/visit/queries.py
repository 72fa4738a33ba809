"""Reads of visits. A collector's list holds the visits of the own team only."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.people.tables import TeamMemberRow
from services.visits.visit.schemas import IncompleteRecordView, VisitView
from services.visits.visit.tables import VisitRow
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class VisitFilter:
    plan_id: UUID | None = None
    team_id: UUID | None = None
    case_id: UUID | None = None
    status: str | None = None
    day: date | None = None
    collector_id: UUID | None = None


def view(row: VisitRow) -> VisitView:
    fields = row.model_dump(include=set(VisitView.model_fields) - {"checked_in", "promise_id"})
    return VisitView(
        **fields,
        checked_in=[UUID(ref) for ref in row.check_ins],
        promise_id=row.record.get("promise_id"),
    )


async def list_incomplete(tx: Transaction, *, after: UUID | None, limit: int) -> list[IncompleteRecordView]:
    """Completed visits whose records lack proofs."""
    statement = (
        select(VisitRow).where(col(VisitRow.record_incomplete).is_(True)).order_by(col(VisitRow.id)).limit(limit)
    )
    if after is not None:
        statement = statement.where(col(VisitRow.id) > after)
    return [
        IncompleteRecordView(
            **view(row).model_dump(), missing=row.record["missing"], decision_id=row.record["decision_id"]
        )
        for row in await tx.session.scalars(statement)
    ]


async def list_visits(tx: Transaction, wanted: VisitFilter, *, after: UUID | None, limit: int) -> list[VisitView]:
    """Visits in the order in which they were planned."""
    statement = select(VisitRow).order_by(col(VisitRow.id)).limit(limit)
    for column, value in (
        (col(VisitRow.plan_id), wanted.plan_id),
        (col(VisitRow.team_id), wanted.team_id),
        (col(VisitRow.case_id), wanted.case_id),
        (col(VisitRow.status), wanted.status),
        (col(VisitRow.day), wanted.day),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.collector_id is not None:
        teams = select(col(TeamMemberRow.team_id)).where(col(TeamMemberRow.collector_id) == wanted.collector_id)
        statement = statement.where(col(VisitRow.team_id).in_(teams))
    if after is not None:
        statement = statement.where(col(VisitRow.id) > after)
    return [view(row) for row in await tx.session.scalars(statement)]
