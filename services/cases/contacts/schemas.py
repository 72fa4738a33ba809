"""Bodies about contact attempts."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from services.cases.contacts.domain import Channel, Result

BATCH_MAX = 1_000


class AttemptBody(BaseModel):
    case_id: UUID
    channel: Channel
    result: Result
    at: AwareDatetime


class AttemptsBody(BaseModel):
    attempts: Annotated[list[AttemptBody], Field(max_length=BATCH_MAX)]
