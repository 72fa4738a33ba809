"""Bodies and replies about lenders."""

from typing import Annotated

from pydantic import BaseModel, Field

from services.cases.lenders.profile import FeedProfile


class RegisterLenderBody(BaseModel):
    """`id` is chosen once: it stands in tokens, in events and in the name of the lender's log."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]


class LenderView(BaseModel):
    id: str
    name: str
    profile_version: int


class ProfileView(BaseModel):
    version: int
    profile: FeedProfile
