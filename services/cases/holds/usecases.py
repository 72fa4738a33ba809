"""Place and release holds."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.cases.casefile import usecases as casefile
from services.cases.holds import domain
from services.cases.holds.domain import PlaceHold, ReleaseHold
from services.cases.holds.tables import HoldRow
from shared.auth import Actor
from shared.bulk import among
from shared.database import Transaction
from shared.errors import NotFound
from shared.ids import new_id


async def place_hold(tx: Transaction, command: PlaceHold, *, actor: Actor, hold_id: UUID | None = None) -> HoldRow:
    """Stop contact. Raises NotFound, or Invalid for a review that is not later."""
    case = await casefile.lock(tx, command.case_id)
    hold, event = domain.place(
        command, hold_id=hold_id or new_id(), actor=str(actor.ref), time_zone=case.time_zone, now=tx.now
    )
    row = HoldRow.of(hold)
    tx.session.add(row)
    casefile.count_hold(case)
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    return row


async def release_hold(tx: Transaction, command: ReleaseHold, *, actor: Actor) -> HoldRow:
    """End a hold. Raises NotFound, or Conflict where it has ended."""
    found = await tx.session.get(HoldRow, command.hold_id)
    if found is None:
        raise NotFound("hold-not-found", "There is no such hold here.")
    case = await casefile.lock(tx, found.case_id)
    await tx.session.refresh(found)
    hold, event = domain.release(found.state, actor=str(actor.ref), now=tx.now)
    found.become(hold)
    casefile.discount_hold(case)
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    return found


async def is_released(tx: Transaction, hold_id: UUID) -> bool:
    found = await tx.session.get(HoldRow, hold_id)
    return found is None or found.released_at is not None


async def holds_since(tx: Transaction, case_ids: Collection[UUID], since: datetime) -> dict[UUID, list[HoldRow]]:
    """The holds of these cases, but for those that had ended by then."""
    statement = select(HoldRow).where(
        among(tx, col(HoldRow.case_id), case_ids),
        or_(col(HoldRow.released_at).is_(None), col(HoldRow.released_at) > since),
    )
    found: dict[UUID, list[HoldRow]] = defaultdict(list)
    for row in await tx.session.scalars(statement):
        found[row.case_id].append(row)
    return found
