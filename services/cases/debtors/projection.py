"""Who visits a debtor, and which collectors are on duty: views of the visits' events. What a collector may read and
record rests on them."""

from uuid import UUID

from sqlalchemy import Table, delete, insert, select, update

from services.cases.debtors.tables import AssignmentRow, DutyRow
from shared.bus.projections import Projection
from shared.database import Transaction
from shared.events import visits
from shared.events.envelope import Envelope


async def on_visit_planned(tx: Transaction, table: Table, event: visits.VisitPlanned, _envelope: Envelope) -> None:
    """A visit stands on a team's route, or was moved to another one."""
    await _close(tx, table, event.visit_id)
    await _assign(tx, table, event, window_start=event.window_start, purpose=event.purpose, dispatched=False)


async def on_visit_dispatched(tx: Transaction, table: Table, event: visits.VisitDispatched, envelope: Envelope) -> None:
    """The team is under way. A visit that was planned before this view knew of plans is one of the dispatch's day."""
    planned = select(table.c.window_start, table.c.purpose).where(table.c.visit_id == event.visit_id)
    known = (await tx.session.execute(planned)).first()
    await _close(tx, table, event.visit_id)
    start, purpose = known or (envelope.occurred_at, None)
    await _assign(tx, table, event, window_start=start, purpose=purpose, dispatched=True)


async def on_visit_over(
    tx: Transaction,
    table: Table,
    event: visits.VisitCompleted | visits.VisitAborted | visits.VisitCancelled | visits.VisitMissed,
    _envelope: Envelope,
) -> None:
    await _close(tx, table, event.visit_id)


async def _assign(
    tx: Transaction, table: Table, event: visits.VisitPlanned | visits.VisitDispatched, **facts: object
) -> None:
    rows = [
        {"visit_id": event.visit_id, "collector_id": collector_id, "case_id": event.case_id, **facts}
        for collector_id in event.collector_ids
    ]
    if rows:
        await tx.session.execute(insert(table), rows)


async def _close(tx: Transaction, table: Table, visit_id: UUID) -> None:
    await tx.session.execute(delete(table).where(table.c.visit_id == visit_id))


async def on_collector_status_changed(
    tx: Transaction, table: Table, event: visits.CollectorStatusChanged, envelope: Envelope
) -> None:
    """The newest status counts, in whatever order the events come."""
    this = table.c.collector_id == event.collector_id
    known = await tx.session.scalar(select(table.c.version).where(this))
    values = {"status": event.status, "version": envelope.sequence}
    if known is None:
        await tx.session.execute(insert(table).values(collector_id=event.collector_id, **values))
    elif known < envelope.sequence:
        await tx.session.execute(update(table).where(this).values(values))


ASSIGNMENTS = Projection(
    "assignments",
    AssignmentRow.metadata.tables["assignment"],
    {
        visits.VisitPlanned: on_visit_planned,
        visits.VisitDispatched: on_visit_dispatched,
        visits.VisitCompleted: on_visit_over,
        visits.VisitAborted: on_visit_over,
        visits.VisitCancelled: on_visit_over,
        visits.VisitMissed: on_visit_over,
    },
)
DUTIES = Projection(
    "duties",
    DutyRow.metadata.tables["collector_duty"],
    {visits.CollectorStatusChanged: on_collector_status_changed},
)
