"""Place and release holds. A hold that protects a person is released by two: one asks, another one approves."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.cases.base import APPROVALS
from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.holds import domain
from services.cases.holds.domain import PlaceHold, ReleaseHold
from services.cases.holds.tables import WHY, HoldRow
from shared.approvals import Action, Approval, Subject
from shared.auth import Actor, Role
from shared.bulk import among
from shared.database import Transaction
from shared.errors import NotFound
from shared.ids import new_id

HOLDERS = frozenset({Role.SUPERVISOR, Role.COMPLIANCE})


async def place_hold(tx: Transaction, command: PlaceHold, *, actor: Actor, hold_id: UUID | None = None) -> HoldRow:
    """Stop contact. Raises NotFound, or Invalid for a review that is not later."""
    case = await casefile.lock(tx, command.case_id)
    hold, event = domain.place(
        command, hold_id=hold_id or new_id(), actor=str(actor.ref), time_zone=case.time_zone, now=tx.now
    )
    row = HoldRow.of(hold)
    tx.session.add(row)
    casefile.count_hold(case)
    tx.publish(event, aggregate=case)
    return row


async def release_hold(tx: Transaction, command: ReleaseHold, *, actor: Actor) -> HoldRow | Approval:
    """End a hold; or ask for it, where it needs a second person. Raises NotFound, or Conflict where it has ended or is
    a complaint's."""
    case, hold = await _lock(tx, command.hold_id)
    domain.check_releasable(hold.state)
    if hold.state.needs_second_person:
        return await APPROVALS.ask(tx, RELEASE_HOLD, hold.id, reason=command.why, actor=actor)
    await _end(tx, case, hold, actor=actor, why=command.why)
    return hold


async def release_with_answer(tx: Transaction, hold_id: UUID, *, actor: Actor) -> None:
    """End the hold of a complaint that is answered, unless an earlier release of this program let it end before."""
    case, hold = await _lock(tx, hold_id)
    if hold.released_at is None:
        await _end(tx, case, hold, actor=actor, why=None)


async def _release_as_approved(tx: Transaction, approval: Approval, actor: Actor) -> None:
    case, hold = await _lock(tx, approval.subject_id)
    domain.check_releasable(hold.state)
    await _end(tx, case, hold, actor=actor, why=approval.reason)


async def _facts_of_release(tx: Transaction, hold_id: UUID) -> Subject:
    case, hold = await _lock(tx, hold_id)
    seen = {name: getattr(hold, name) for name in ("reason", "scope", "review_on", "released_at", "complaint_id")}
    return Subject(seen, case_id=case.id, lender_id=case.lender_id)


RELEASE_HOLD = Action(
    "RELEASE_HOLD",
    effect="The hold {reason} ({scope}) ends. Contact may go on where no other hold or rule stops it.",
    asked_by=HOLDERS,
    decided_by=HOLDERS,
    expires_after=timedelta(days=14),
    look=_facts_of_release,
    carry_out=_release_as_approved,
)


async def _lock(tx: Transaction, hold_id: UUID) -> tuple[CaseRow, HoldRow]:
    """A hold and its case, both locked. Raises NotFound."""
    found = await tx.session.get(HoldRow, hold_id)
    if found is None:
        raise NotFound("hold-not-found", "There is no such hold here.")
    case = await casefile.lock(tx, found.case_id)
    await tx.session.refresh(found)
    return case, found


async def _end(tx: Transaction, case: CaseRow, hold: HoldRow, *, actor: Actor, why: str | None) -> None:
    """End a locked hold."""
    state, event = domain.release(hold.state, actor=str(actor.ref), now=tx.now)
    hold.become(state)
    if why is not None:
        hold.sealed_why = await tx.vault.seal(hold.keys, WHY, hold.place_of_why, why.encode())
    casefile.discount_hold(case)
    tx.publish(event, aggregate=case)


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
