"""Bodies and replies of day plans."""

from datetime import date, datetime, time
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, model_validator


class Shift(BaseModel):
    """From start until end, by the debtors' clock."""

    start: time = time(9)
    end: time = time(18)

    @model_validator(mode="after")
    def _forwards(self) -> "Shift":
        if self.start >= self.end:
            raise ValueError("a shift starts before it ends")
        return self


class Place(BaseModel):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class DayPlanBody(BaseModel):
    """Teams: all by default. Depot: the middle of the day's addresses by default."""

    day: date
    team_ids: Annotated[list[UUID] | None, Field(max_length=500)] = None
    shift: Shift = Shift()
    depot: Place | None = None
    visits_per_team_max: Annotated[int, Field(ge=1, le=50)] = 15
    minutes_per_visit: Annotated[int, Field(ge=5, le=240)] = 20


class LeftOutCount(BaseModel):
    """`reason` is a rule's id, or cap-reached, too-far, no-position."""

    reason: str
    count: int


class DayPlanView(BaseModel):
    id: UUID
    day: date
    status: Literal["REQUESTED", "PUBLISHED", "FAILED"]
    asked_at: datetime
    visits: int
    teams: int
    kilometres: float
    left_out: list[LeftOutCount]
    problem: str | None


class LeftOutView(BaseModel):
    case_id: UUID
    reason: str
    decision_id: UUID | None
