"""Holds: recorded reasons that stop contact. A hold is never edited; a release, a fact of its own, ends it.

Commands come in; the new state of the hold and the event to publish go out.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.errors import Conflict, Invalid
from shared.events.cases import CaseHeld, CaseReleased
from shared.law import HoldReason, HoldScope


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """Stop contact with a case, for a reason, until it is reviewed on a day."""

    case_id: UUID
    reason: HoldReason
    scope: HoldScope
    review_on: date


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    hold_id: UUID


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it is stored. It is in force until it is released."""

    id: UUID
    case_id: UUID
    reason: str
    scope: str
    review_on: date
    placed_by: str
    placed_at: datetime
    released_by: str | None = None
    released_at: datetime | None = None


def place(command: PlaceHold, *, hold_id: UUID, actor: str, time_zone: str, now: datetime) -> tuple[Hold, CaseHeld]:
    """A new hold. Raises Invalid unless it is reviewed after the day, by the debtor's clock, on which it is placed."""
    if command.review_on <= now.astimezone(ZoneInfo(time_zone)).date():
        raise Invalid("review-day-passed", "`review_on` must be after today.")
    hold = Hold(hold_id, command.case_id, command.reason, command.scope, command.review_on, actor, now)
    event = CaseHeld(
        case_id=command.case_id,
        hold_id=hold_id,
        reason=command.reason,
        scope=command.scope,
        review_on=command.review_on,
    )
    return hold, event


def release(hold: Hold, *, actor: str, now: datetime) -> tuple[Hold, CaseReleased]:
    """The hold, ended now. Raises Conflict for one that was released already."""
    if hold.released_at is not None:
        raise Conflict("hold-released", "This hold was released already. Place a new one if contact must stop.")
    event = CaseReleased(case_id=hold.case_id, hold_id=hold.id, reason=hold.reason)
    return replace(hold, released_by=actor, released_at=now), event
