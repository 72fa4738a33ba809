"""File and resolve complaints. A complaint stops contact by a hold until it is resolved; the law sets the day by which
it is answered."""

from services.cases.base import LAWBOOK
from services.cases.casefile import usecases as casefile
from services.cases.complaints import domain
from services.cases.complaints.domain import FileComplaint, ResolveComplaint
from services.cases.complaints.tables import ComplaintRow
from services.cases.holds import usecases as holds
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import NotFound
from shared.ids import new_id


async def file_complaint(tx: Transaction, command: FileComplaint, *, actor: Actor) -> ComplaintRow:
    """Raises NotFound, Forbidden for a caller and a complaint that came otherwise than by phone, or Invalid for a
    complaint of the future."""
    domain.check_channel(command.channel, by_phone_only=actor.by_phone_only)
    case = await casefile.lock(tx, command.case_id)
    law, day = await LAWBOOK.law(tx), command.day(case.time_zone, tx.now)
    packs = law.packs_at(case.jurisdiction, case.country, case.region, day)
    complaint, hold, event = domain.file(
        command, complaint_id=new_id(), hold_id=new_id(), case=case, packs=packs, actor=str(actor.ref), now=tx.now
    )
    await holds.place_hold(tx, hold, actor=actor, hold_id=complaint.hold_id)
    row = ComplaintRow.of(complaint)
    tx.session.add(row)
    tx.publish(event, aggregate=case)
    return row


async def resolve_complaint(tx: Transaction, command: ResolveComplaint, *, actor: Actor) -> ComplaintRow:
    """Write down the answer, and release the hold. Raises NotFound, or Conflict where that was done."""
    found = await tx.session.get(ComplaintRow, command.complaint_id)
    if found is None:
        raise NotFound("complaint-not-found", "There is no such complaint here.")
    case = await casefile.lock(tx, found.case_id)
    await tx.session.refresh(found)
    complaint, event = domain.resolve(found.state, command, actor=str(actor.ref), now=tx.now)
    found.become(complaint)
    tx.publish(event, aggregate=case)
    await holds.release_with_answer(tx, found.hold_id, actor=actor)
    return found
