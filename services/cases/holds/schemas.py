"""Bodies and replies about holds."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from services.cases.holds.domain import PlaceHold
from shared.bodies import Body
from shared.law import HoldReason, HoldScope, StatedDay


class PlaceHoldBody(Body):
    reason: HoldReason
    scope: HoldScope = HoldScope.ALL
    review_on: StatedDay

    def command(self, case_id: UUID) -> PlaceHold:
        return PlaceHold(case_id, self.reason, self.scope, self.review_on)


class HoldView(BaseModel):
    id: UUID
    case_id: UUID
    reason: str
    scope: str
    review_on: date
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
