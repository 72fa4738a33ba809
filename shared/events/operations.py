"""What those who run a service did to its bus, on the topic operations.service.v1. Every service publishes here about
itself; the key is the operation's own id. The trail keeps these events like all others."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.events.envelope import Event

TOPIC = "operations.service.v1"


class OperationEvent(Event):
    topic: ClassVar[str] = TOPIC
    operation_id: UUID = Field(description="the operation")
    consumer: str = Field(description="the group whose events were touched: a service's name")


class ParkedEventsReplayed(OperationEvent):
    """Somebody had parked events run again, in order. What failed once more is still parked."""

    type: ClassVar[str] = "doorstep.operations.parked-events-replayed.v1"
    keys: list[str] = Field(description="the keys that were tried (case ids)")
    cured: int = Field(description="events that were handled now")
    still_parked: int = Field(description="events of these keys that are still parked")


class ProjectionRebuilt(OperationEvent):
    """Somebody had a projection made anew from all events, and put in the place of the old one."""

    type: ClassVar[str] = "doorstep.operations.projection-rebuilt.v1"
    projection: str = Field(description="name of the projection")
    events: int = Field(description="events that it was made from")
    rows: int = Field(description="rows that it has now")
