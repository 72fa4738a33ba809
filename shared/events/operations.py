"""What every service publishes about itself, on the topic operations.service.v1: what operators did to its bus, and
requests for actions that need a second person. The key is the operation's own id; of a request, the case or else the
request. The trail keeps these events like all others."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event

TOPIC = "operations.service.v1"


class OperationEvent(Event):
    topic: ClassVar[str] = TOPIC
    operation_id: UUID = Field(description="the operation")
    consumer: str = Field(description="the group whose events were touched: a service's name")


class ParkedEventsReplayed(OperationEvent):
    """An operator ran parked events again, in order. Events that failed once more are still parked."""

    type: ClassVar[str] = "doorstep.operations.parked-events-replayed.v1"
    keys: list[str] = Field(description="the keys that were tried (case ids)")
    cured: int = Field(description="events that were handled now")
    still_parked: int = Field(description="events of these keys that are still parked")


class ProjectionRebuilt(OperationEvent):
    """An operator rebuilt a projection from all events; it replaced the old one."""

    type: ClassVar[str] = "doorstep.operations.projection-rebuilt.v1"
    projection: str = Field(description="name of the projection")
    events: int = Field(description="events that it was made from")
    rows: int = Field(description="rows that it has now")


class ApprovalEvent(Event):
    topic: ClassVar[str] = TOPIC
    approval_id: UUID
    action: str
    subject_id: UUID
    case_id: UUID | None = None


class ApprovalAsked(ApprovalEvent):
    """A person asked for an action that needs a second person. Nothing else has happened."""

    type: ClassVar[str] = "doorstep.operations.approval-asked.v1"
    expires_at: AwareDatetime


class ApprovalGranted(ApprovalEvent):
    """A second person, the actor of the envelope, approved. The action was carried out with it."""

    type: ClassVar[str] = "doorstep.operations.approval-granted.v1"
    asked_by: str


class ApprovalRefused(ApprovalEvent):
    """A second person, the actor of the envelope, refused. The action was not carried out."""

    type: ClassVar[str] = "doorstep.operations.approval-refused.v1"
    asked_by: str


class ApprovalExpired(ApprovalEvent):
    """A request ended without a decision."""

    type: ClassVar[str] = "doorstep.operations.approval-expired.v1"
    because: str = Field(
        description="TIME: no person decided in time; CHANGED: its subject changed, and it was asked again",
        examples=["TIME"],
    )
