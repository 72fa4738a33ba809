"""Bodies and replies about consents and contact preferences."""

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.cases.consents.domain import PREFERENCE_WINDOWS_MAX, Channel, ConsentMeans
from shared.bodies import Body, Digest
from shared.law import ConsentScope, PlaceType, QuietReason, StatedDay, StatedMoment


class ConsentBody(Body):
    """`proof_digest` is the SHA-256 of the letter, recording or form that shows it."""

    scope: ConsentScope
    channel: ConsentMeans
    given_at: StatedMoment
    valid_until: StatedMoment | None = None
    proof_digest: Digest


class WithdrawalBody(Body):
    """`at`: when the debtor said so; now by default."""

    at: StatedMoment | None = None


class ConsentView(BaseModel):
    id: UUID
    case_id: UUID
    scope: str
    channel: str
    given_at: datetime
    valid_until: datetime | None
    proof_digest: str
    recorded_by: str
    recorded_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None


class WindowBody(Body):
    """A time of a weekday (1 Monday to 7 Sunday) that suits, by the clock of the address."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    opens_at: time
    closes_at: time

    @model_validator(mode="after")
    def _forwards(self) -> "WindowBody":
        if self.opens_at.tzinfo or self.closes_at.tzinfo:
            raise ValueError("times of day stand by the clock of the address: leave the offset out")
        if self.opens_at >= self.closes_at:
            raise ValueError("a window opens before it closes")
        return self


class PreferenceBody(Body):
    """What is left empty was not said."""

    channels: Annotated[list[Channel], Field(max_length=4)] = []
    windows: Annotated[list[WindowBody], Field(max_length=PREFERENCE_WINDOWS_MAX)] = []
    inconvenient_places: Annotated[list[PlaceType], Field(max_length=6)] = []
    employer_forbids: bool = False


class PreferenceView(PreferenceBody):
    id: UUID
    case_id: UUID
    recorded_by: str
    recorded_at: datetime


class QuietPeriodBody(Body):
    """Both days belong to it; without a last day it runs on, or as long as the law lets it."""

    reason: QuietReason
    first_day: StatedDay
    last_day: StatedDay | None = None
    proof_digest: Digest

    @model_validator(mode="after")
    def _forwards(self) -> "QuietPeriodBody":
        if self.last_day is not None and self.last_day < self.first_day:
            raise ValueError("the last day is not before the first")
        return self


class QuietPeriodView(BaseModel):
    id: UUID
    case_id: UUID
    reason: str
    first_day: date
    last_day: date | None
    proof_digest: str
    recorded_by: str
    recorded_at: datetime
