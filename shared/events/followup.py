"""Events of the service followup, on the topic followup.promise.v1. The key is the case."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.events.envelope import Event
from shared.events.values import Amount, Instalment, WireDecimal

TOPIC = "followup.promise.v1"


class PromiseEvent(Event):
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    promise_id: UUID


class PromiseMade(PromiseEvent):
    """A debtor promised to pay. `visit_id` is the visit where it was agreed; without one, by phone. Without accounts it
    is about all of the case. `recording_consented`: whether the debtor agreed that the call is recorded."""

    type: ClassVar[str] = "doorstep.followup.promise-made.v1"
    visit_id: UUID | None = None
    instalments: list[Instalment]
    total: Amount
    account_ids: list[UUID] | None = None
    on_missed: str | None = None
    recording_consented: bool | None = None
    proof_digest: str | None = None


class PromiseSettled(PromiseEvent):
    """How a promise ended: what was promised and what was paid towards it. `judgement` counts how often it was judged:
    what is reported late, or taken back, may change an earlier judgement."""

    promised: Amount
    paid: Amount
    on: date
    judgement: int | None = None


class PromiseKept(PromiseSettled):
    """At the end of grace at least the tolerance was paid (or sooner, all of it)."""

    type: ClassVar[str] = "doorstep.followup.promise-kept.v1"


class PromisePartiallyKept(PromiseSettled):
    """At the end of grace something was paid, but less than the tolerance."""

    type: ClassVar[str] = "doorstep.followup.promise-partially-kept.v1"


class PromiseBroken(PromiseSettled):
    """At the end of grace nothing was paid."""

    type: ClassVar[str] = "doorstep.followup.promise-broken.v1"


class PromiseCured(PromiseSettled):
    """Money was in time but reported late: the promise is no longer broken or partially kept. `status` is KEPT, or
    ACTIVE where instalments are still to come."""

    type: ClassVar[str] = "doorstep.followup.promise-cured.v1"
    status: str = Field(description="the promise's state now, a code of PromiseStatus", examples=["KEPT"])


class PromiseReopened(PromiseSettled):
    """A payment that kept the promise was taken back, or its case was closed and is open again. `status` is the
    promise's state now."""

    type: ClassVar[str] = "doorstep.followup.promise-reopened.v1"
    status: str = Field(description="the promise's state now, a code of PromiseStatus", examples=["BROKEN"])


class InstalmentMissed(PromiseEvent):
    """At the end of an instalment's grace less than the tolerance of all that was due until then had come."""

    type: ClassVar[str] = "doorstep.followup.instalment-missed.v1"
    instalment: int = Field(description="which instalment, counted from 1", examples=[1])
    due: Amount = Field(description="all that was due until then")
    paid: Amount = Field(description="all that had come until then")
    on: date


class PromiseSuperseded(PromiseEvent):
    """A newer promise of the same case took its place."""

    type: ClassVar[str] = "doorstep.followup.promise-superseded.v1"
    by_promise_id: UUID


class PromiseCancelled(PromiseEvent):
    """Taken back by a person, with a coded reason."""

    type: ClassVar[str] = "doorstep.followup.promise-cancelled.v1"
    reason: str = Field(description="why, as a code", examples=["MADE_IN_ERROR"])


class LenderTermsRecorded(Event):
    """What a lender counts as late and as paid in promises that are made from now on. The key is an id of the record,
    one a lender."""

    type: ClassVar[str] = "doorstep.followup.lender-terms-recorded.v1"
    topic: ClassVar[str] = TOPIC
    lender_id: str
    grace_days: int
    grace_in: str = Field(examples=["CALENDAR"])
    tolerance: WireDecimal = Field(examples=["0.95"])
    may_lack: Amount | None = None
    on_missed: str


class RevisitRequested(Event):
    """Another visit is wanted from a day on. `purpose` is a VisitPurpose."""

    type: ClassVar[str] = "doorstep.followup.revisit-requested.v1"
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    request_id: UUID
    reason: str = Field(description="why, as a code", examples=["PROMISE_BROKEN"])
    purpose: str
    not_before: date
    promise_id: UUID | None = None
