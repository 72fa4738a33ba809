"""Bodies and replies about holds."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from services.cases.holds.domain import PlaceHold, ReleaseHold
from shared.bodies import Body, ReasonBody
from shared.law import HoldReason, HoldScope, StatedDay


class PlaceHoldBody(Body):
    reason: HoldReason
    scope: HoldScope = HoldScope.ALL
    review_on: StatedDay

    def command(self, case_id: UUID) -> PlaceHold:
        return PlaceHold(case_id, self.reason, self.scope, self.review_on)


class ReleaseHoldBody(ReasonBody):
    def command(self, hold_id: UUID) -> ReleaseHold:
        return ReleaseHold(hold_id, self.reason)


class HoldView(BaseModel):
    """`release_reason`: why it was released, in the words of the person who asked for it. `complaint_id`: the complaint
    whose answer ends it. Who placed and released it, and why it was released, is not shown to a lender."""

    id: UUID
    case_id: UUID
    reason: str
    scope: str
    review_on: date
    placed_by: str | None
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    release_reason: str | None
    complaint_id: UUID | None
