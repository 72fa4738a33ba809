"""Reads of visits. A collector's list holds the visits of the own team only."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarResult, String, and_, cast, select
from sqlmodel import col

from services.visits.people import teams
from services.visits.visit.clocks import TimeFlag
from services.visits.visit.domain import VisitStatus
from services.visits.visit.marks import Marks, marks_of
from services.visits.visit.schemas import CompletedView, IncompleteRecordView, ReportWarning, VisitView
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.listing import page_of


@dataclass(frozen=True, slots=True)
class VisitFilter:
    plan_id: UUID | None = None
    team_id: UUID | None = None
    case_id: UUID | None = None
    status: str | None = None
    day: date | None = None
    collector_ids: tuple[UUID, ...] = ()


async def view_of(tx: Transaction, row: VisitRow) -> VisitView:
    """A visit with its marks."""
    return view(row, await marks_of(tx, [row]))


def view(row: VisitRow, marks: Marks | None = None) -> VisitView:
    marks = marks or Marks()
    derived = {"checked_in", "promise_id", "flags", "supplemented_at", "held", "held_by", "off_duty"}
    supplements = row.record.get("supplements", ())
    return VisitView(
        **row.model_dump(include=set(VisitView.model_fields) - derived),
        checked_in=[UUID(ref) for ref in row.check_ins],
        promise_id=row.record.get("promise_id"),
        supplemented_at=supplements[-1]["added_at"] if supplements else None,
        flags=sorted(_flags(row)),
        held=row.id in marks.held,
        held_by=marks.held.get(row.id, []),
        off_duty=[each for each in row.team if each in marks.off_duty],
    )


def _flags(row: VisitRow) -> set[TimeFlag]:
    """What is odd about the times of all reports of a visit."""
    reports = [*row.check_ins.values(), row.record.get("reported", {})]
    reports += [line["reported"] for line in row.record.get("supplements", ())]
    return {TimeFlag(flag) for report in reports for flag in report.get("flags", ())}


def completed_view(row: VisitRow, warnings: list[ReportWarning]) -> CompletedView:
    """A completed visit, with the proofs that its record lacks now."""
    return CompletedView(
        **dict(view(row)),
        missing=row.record["missing"],
        decision_id=row.record["decision_id"],
        warnings=warnings,
    )


async def list_incomplete(tx: Transaction, *, after: UUID | None, limit: int) -> list[IncompleteRecordView]:
    """Completed visits whose records lack proofs."""
    rows = await _page(tx, col(VisitRow.record_incomplete).is_(True), after=after, limit=limit)
    return [
        IncompleteRecordView(**dict(view(row)), missing=row.record["missing"], decision_id=row.record["decision_id"])
        for row in rows
    ]


async def list_overdue(tx: Transaction, *, after: UUID | None, limit: int) -> list[VisitView]:
    """Visits that began, and of which nothing was written down by the end of their day."""
    # The status finds the few rows by its index; without it every visit that was ever made is looked at.
    overdue = and_(col(VisitRow.status) == VisitStatus.CHECKED_IN, col(VisitRow.overdue_since).is_not(None))
    return [view(row) for row in await _page(tx, overdue, after=after, limit=limit)]


async def _page(
    tx: Transaction, wanted: ColumnElement[bool], *, after: UUID | None, limit: int
) -> ScalarResult[VisitRow]:
    statement = select(VisitRow).where(wanted)
    statement = page_of(statement, col(VisitRow.id), after=after, limit=limit)
    return await tx.session.scalars(statement)


async def list_visits(tx: Transaction, wanted: VisitFilter, *, after: UUID | None, limit: int) -> list[VisitView]:
    """Visits in the order in which they were planned."""
    statement = select(VisitRow)
    for column, value in (
        (col(VisitRow.plan_id), wanted.plan_id),
        (col(VisitRow.team_id), wanted.team_id),
        (col(VisitRow.case_id), wanted.case_id),
        (col(VisitRow.status), wanted.status),
        (col(VisitRow.day), wanted.day),
    ):
        if value is not None:
            statement = statement.where(column == value)
    for collector_id in wanted.collector_ids:
        names_the_collector = cast(col(VisitRow.collector_ids), String).contains(str(collector_id))
        team_ids = await teams.teams_of(tx, collector_id)
        statement = statement.where(col(VisitRow.team_id).in_(team_ids), names_the_collector)
    statement = page_of(statement, col(VisitRow.id), after=after, limit=limit)
    rows = (await tx.session.scalars(statement)).all()
    marks = await marks_of(tx, rows)
    return [view(row, marks) for row in rows]
