"""Bodies and replies about lenders."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from services.cases.lenders.profile import FeedProfile
from shared.bodies import Body
from shared.claims import LENDER_ID, LOGS_OF_OUR_OWN
from shared.law import StatedDay, StatedMoment
from shared.versions.schemas import Differences, VersionView


class RegisterLenderBody(Body):
    """`id` never changes: tokens, events and the name of the lender's log contain it."""

    id: Annotated[str, Field(pattern=f"^{LENDER_ID.pattern}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]

    @field_validator("id")
    @classmethod
    def _not_a_log_of_ours(cls, lender_id: str) -> str:
        if lender_id in LOGS_OF_OUR_OWN:
            raise ValueError(f"{lender_id} is a log of our own: choose another id")
        return lender_id


class LenderView(BaseModel):
    id: str
    name: str
    profile_version: int


class ProfileView(BaseModel):
    version: int
    profile: FeedProfile


class StoredProfileView(ProfileView):
    """`differences` to the version before; none where the same profile was stored again."""

    differences: Differences


class ProfileVersionView(VersionView):
    """A version of a profile. `first_placement_id`: the first file that was received under it."""

    version: int
    first_placement_id: UUID | None


class ProfileVersionDetail(ProfileVersionView):
    """With the profile, and what it changes against the version before."""

    profile: FeedProfile
    differences: Differences


class AgencyBody(Body):
    """What the lender has recorded about us, its agent; what is left out is unknown. `changed_at`: when our details
    last changed; `reviewed_on`: when the lender last evaluated us; `listed`: whether we are on its list."""

    changed_at: StatedMoment | None = None
    reviewed_on: StatedDay | None = None
    listed: bool | None = None


class AgencyView(BaseModel):
    """`version` is 0 as long as nothing was recorded."""

    lender_id: str
    changed_at: datetime | None
    reviewed_on: date | None
    listed: bool | None
    version: int
