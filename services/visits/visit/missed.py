"""The end of a visit's local day: a visit that did not begin is missed, a visit that began without a record is overdue.
Pages of rows are locked, so that several workers share the work."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from services.visits.visit.domain import OPEN, IncidentKind, MissedReason, VisitStatus
from services.visits.visit.tables import VisitRow
from services.visits.visit.usecases import report_incident
from shared.database import Transaction
from shared.events.visits import VisitMissed
from shared.law import Disposition

PAGE = 200
DAY_OVER_EVERYWHERE = timedelta(hours=24)
"""After midnight UTC a day goes on for half a day in the west; this much later it is over in each time zone."""


async def is_any_due(tx: Transaction) -> bool:
    """Whether the day of an open visit is over."""
    return await tx.session.scalar(select(col(VisitRow.id)).where(_due(tx.now)).limit(1)) is not None


async def lock_due(tx: Transaction) -> Sequence[VisitRow]:
    """Open visits whose day is over, the oldest first, locked. Rows that another worker holds are passed over, and
    waited for only when no other is left."""
    return await _lock(tx, skip_locked=True) or await _lock(tx, skip_locked=False)


async def _lock(tx: Transaction, *, skip_locked: bool) -> Sequence[VisitRow]:
    rows = await tx.session.scalars(
        select(VisitRow)
        .where(_due(tx.now))
        .order_by(col(VisitRow.day_ends_at), col(VisitRow.id))
        .limit(PAGE)
        .with_for_update(skip_locked=skip_locked)
        .execution_options(populate_existing=True)
    )
    return rows.all()


def _due(now: datetime) -> ColumnElement[bool]:
    """Two ranges of the index of status and end of the day: the timer asks every second."""
    waiting = and_(col(VisitRow.status).in_(OPEN), col(VisitRow.overdue_since).is_(None))
    # A process of the release before may still plan after the migration: its rows name no end of the day.
    unnamed = and_(col(VisitRow.day_ends_at).is_(None), col(VisitRow.day) < (now - DAY_OVER_EVERYWHERE).date())
    return or_(and_(waiting, col(VisitRow.day_ends_at) <= now), and_(waiting, unnamed))


def miss(tx: Transaction, visit: VisitRow, reason: MissedReason) -> None:
    """The visit did not take place. Its case, which was wanted all the time, is free for later plans."""
    visit.missed_status, visit.missed_reason, visit.status = visit.status, reason, VisitStatus.MISSED
    visit.disposition = reason if reason.value in set(Disposition) else None
    event = VisitMissed(
        case_id=visit.case_id,
        visit_id=visit.id,
        team_id=visit.team_id,
        collector_ids=visit.team,
        day=visit.day,
        reason=reason,
        known_status=visit.missed_status,
    )
    tx.publish(event, aggregate=visit)


def mark_overdue(tx: Transaction, visit: VisitRow) -> None:
    """The visit began and its record is due. It stays open: a phone may report late, a supervisor may enter it."""
    visit.overdue_since = visit.day_ends_at or tx.now
    report_incident(tx, visit, IncidentKind.RECORD_OVERDUE, missing=["record"])
