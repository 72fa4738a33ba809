"""File and resolve complaints. A complaint stops contact by a hold until it is resolved; the day by which it is
answered is the law's."""

from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.cases.base import LAWBOOK
from services.cases.casefile import usecases as casefile
from services.cases.complaints import domain
from services.cases.complaints.schemas import FileComplaintBody, ResolveComplaintBody
from services.cases.complaints.tables import ComplaintRow
from services.cases.holds import usecases as holds
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import ComplaintFiled, ComplaintResolved
from shared.ids import new_id
from shared.law import HoldReason, HoldScope


async def file_complaint(tx: Transaction, case_id: UUID, body: FileComplaintBody, *, actor: Actor) -> ComplaintRow:
    """Raises NotFound, or Invalid for a complaint of the future."""
    case = await casefile.lock(tx, case_id, seen_by=actor)
    filed_at = body.filed_at or tx.now
    domain.check_filed(filed_at, tx.now)
    zone = ZoneInfo(case.time_zone)
    day, today = filed_at.astimezone(zone).date(), tx.now.astimezone(zone).date()
    packs = (await LAWBOOK.law(tx)).packs_for(case.jurisdiction, day)
    due = domain.answer_due(packs, day, country=case.country, region=case.region)
    hold = await holds.place_hold(
        tx,
        case_id,
        reason=HoldReason.COMPLAINT_PENDING,
        scope=HoldScope.ALL,
        review_on=max(due.on, today + timedelta(days=1)),
        actor=actor,
    )
    row = ComplaintRow(
        id=new_id(),
        case_id=case_id,
        lender_id=case.lender_id,
        hold_id=hold.id,
        filed_at=filed_at,
        filed_by=str(actor.ref),
        answer_due_on=due.on,
        answer_due_at=datetime.combine(due.on + timedelta(days=1), time(), zone),
        due_by_rule=due.rule_id,
        **body.model_dump(exclude={"filed_at"}),
    )
    tx.session.add(row)
    event = ComplaintFiled(
        case_id=case_id,
        complaint_id=row.id,
        kind=row.kind,
        filed_at=filed_at,
        answer_due_on=due.on,
        hold_id=hold.id,
    )
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    return row


async def resolve_complaint(
    tx: Transaction, complaint_id: UUID, body: ResolveComplaintBody, *, actor: Actor
) -> ComplaintRow:
    """Write down the answer, and release the hold. Raises NotFound, or Conflict where that was done."""
    found = await tx.session.get(ComplaintRow, complaint_id)
    if found is None:
        raise NotFound("complaint-not-found", "There is no such complaint here.")
    case = await casefile.lock(tx, found.case_id)
    await tx.session.refresh(found)
    domain.check_open(found.resolved_at)
    found.outcome, found.answer_digest = body.outcome, body.answer_digest
    found.resolved_at, found.resolved_by = tx.now, str(actor.ref)
    event = ComplaintResolved(
        case_id=case.id,
        complaint_id=found.id,
        outcome=body.outcome,
        in_time=tx.now < found.answer_due_at,
    )
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    if not await holds.is_released(tx, found.hold_id):
        await holds.release_hold(tx, found.hold_id, actor=actor)
    return found
