"""Place and release holds."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlmodel import col

from services.cases.casefile import usecases as casefile
from services.cases.holds import domain
from services.cases.holds.tables import HoldRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import CaseHeld, CaseReleased
from shared.ids import new_id
from shared.law import HoldReason, HoldScope


async def place_hold(
    tx: Transaction, case_id: UUID, *, reason: HoldReason, scope: HoldScope, review_on: date, actor: Actor
) -> HoldRow:
    """Stop contact. Raises NotFound, or Invalid for a review that is not later."""
    case = await casefile.lock(tx, case_id, seen_by=actor)
    domain.check_review_day(review_on, tx.now.astimezone(ZoneInfo(case.time_zone)).date())
    row = HoldRow(
        id=new_id(),
        case_id=case_id,
        reason=reason,
        scope=scope,
        review_on=review_on,
        placed_by=str(actor.ref),
        placed_at=tx.now,
    )
    tx.session.add(row)
    case.holds += 1
    event = CaseHeld(case_id=case_id, hold_id=row.id, reason=reason, scope=scope, review_on=review_on)
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    return row


async def release_hold(tx: Transaction, hold_id: UUID, *, actor: Actor) -> HoldRow:
    """End a hold. Raises NotFound, or Conflict where it has ended."""
    found = await tx.session.get(HoldRow, hold_id)
    if found is None:
        raise NotFound("hold-not-found", "There is no such hold here.")
    case = await casefile.lock(tx, found.case_id, seen_by=actor)
    await tx.session.refresh(found)
    domain.check_in_force(found.released_at is not None)
    found.released_at, found.released_by = tx.now, str(actor.ref)
    case.holds -= 1
    event = CaseReleased(case_id=case.id, hold_id=found.id, reason=found.reason)
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    return found


async def is_released(tx: Transaction, hold_id: UUID) -> bool:
    found = await tx.session.get(HoldRow, hold_id)
    return found is None or found.released_at is not None


async def holds_since(tx: Transaction, case_ids: Collection[UUID], since: datetime) -> dict[UUID, list[HoldRow]]:
    """The holds of these cases, but for those that had ended by then."""
    statement = select(HoldRow).where(
        col(HoldRow.case_id).in_(case_ids),
        or_(col(HoldRow.released_at).is_(None), col(HoldRow.released_at) > since),
    )
    found: dict[UUID, list[HoldRow]] = defaultdict(list)
    for row in await tx.session.scalars(statement):
        found[row.case_id].append(row)
    return found
