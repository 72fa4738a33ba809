"""Replies about verifications."""

from datetime import datetime

from pydantic import BaseModel, Field


class ProblemView(BaseModel):
    """What is wrong: at which entry, of which kind, in words."""

    index: int
    kind: str
    detail: str


class VerifiedLogView(BaseModel):
    """A log as it was derived again from its entries; `root` is hex."""

    log: str
    size: int
    root: str
    checkpoint_size: int
    problems: list[ProblemView]


class VerificationView(BaseModel):
    """When the whole trail was derived again, and what came of it. `error` says why it could not be done."""

    started_at: datetime
    seconds: float
    ok: bool
    logs: list[VerifiedLogView]
    error: str | None = Field(None, description="why the verification came to no end; null if it did")
