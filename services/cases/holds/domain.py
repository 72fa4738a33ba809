"""Holds: recorded reasons that stop contact. A hold is never edited; a release, a fact of its own, ends it.

Commands come in; the new state of the hold and the event to publish go out. The hold of a complaint ends with the
complaint's answer only, and a hold that protects a person needs a second person to end.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.errors import Conflict, Invalid
from shared.events.cases import CaseHeld, CaseReleased
from shared.law import HoldReason, HoldScope

# Reasons that a rule of law names (a test compares this list with the packs), and reasons that protect the debtor, a
# court or our own people. Contact that goes on against them by mistake does harm that nothing undoes.
SECOND_PERSON = frozenset(
    {
        HoldReason.BEREAVEMENT_OR_CALAMITY,
        HoldReason.CEASE_REQUEST,
        HoldReason.COMPLAINT_PENDING,
        HoldReason.CONDUCT_INVESTIGATION,
        HoldReason.DECEASED,
        HoldReason.DISPUTE_PENDING,
        HoldReason.IDENTITY_OR_FRAUD_REVIEW,
        HoldReason.INSOLVENCY,
        HoldReason.LEGAL_PROCEEDING,
        HoldReason.REPRESENTED,
        HoldReason.SAFETY_RISK,
        HoldReason.VULNERABLE_CUSTOMER,
    }
)


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """Stop contact with a case, for a reason, until it is reviewed on a day. `complaint_id`: the complaint whose answer
    ends it."""

    case_id: UUID
    reason: HoldReason
    scope: HoldScope
    review_on: date
    complaint_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """End a hold. `why` is free text of a person, stored sealed."""

    hold_id: UUID
    why: str


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
    complaint_id: UUID | None = None

    @property
    def needs_second_person(self) -> bool:
        return self.reason in SECOND_PERSON


def place(command: PlaceHold, *, hold_id: UUID, actor: str, time_zone: str, now: datetime) -> tuple[Hold, CaseHeld]:
    """A new hold. Raises Invalid unless it is reviewed after the day, by the debtor's clock, on which it is placed."""
    if command.review_on <= now.astimezone(ZoneInfo(time_zone)).date():
        raise Invalid("review-day-passed", "`review_on` must be after today.")
    hold = Hold(
        id=hold_id,
        case_id=command.case_id,
        reason=command.reason,
        scope=command.scope,
        review_on=command.review_on,
        placed_by=actor,
        placed_at=now,
        complaint_id=command.complaint_id,
    )
    event = CaseHeld(
        case_id=command.case_id,
        hold_id=hold_id,
        reason=command.reason,
        scope=command.scope,
        review_on=command.review_on,
    )
    return hold, event


def check_releasable(hold: Hold) -> None:
    """A person may end a hold that is in force and is not a complaint's. Raises Conflict."""
    if hold.released_at is not None:
        raise Conflict("hold-released", "This hold was released already. Place a new one if contact must stop.")
    if hold.complaint_id is not None:
        raise Conflict(
            "complaint-open",
            "This hold ends when its complaint is answered: resolve the complaint `complaint_id`.",
            complaint_id=str(hold.complaint_id),
        )


def release(hold: Hold, *, actor: str, now: datetime) -> tuple[Hold, CaseReleased]:
    """The hold, ended now."""
    event = CaseReleased(case_id=hold.case_id, hold_id=hold.id, reason=hold.reason)
    return replace(hold, released_by=actor, released_at=now), event
