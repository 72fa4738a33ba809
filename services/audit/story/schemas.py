"""Replies of the story: lines in plain words, each with its place in the trail."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.audit.search.schemas import VerdictView


class WhoView(BaseModel):
    kind: str
    ref: str
    zh: str
    en: str


class RuleView(BaseModel):
    """A rule that decided, in the words of its pack, where a pack of today still has it."""

    id: str
    zh: str | None
    en: str | None


class LineView(BaseModel):
    """What happened, when by the debtor's clock, who did it, under which rules; and its place in the trail."""

    at: datetime = Field(description="when it happened, in the debtor's time zone")
    zh: str
    en: str
    who: WhoView
    rules: list[RuleView]
    type: str
    subjects: list[str]
    log: str
    index: int


class StoryView(BaseModel):
    """The story of a case in the order in which it happened, as of `sizes`. The first page brings the verdict."""

    case_id: UUID
    time_zone: str
    items: list[LineView]
    next_cursor: str | None
    sizes: dict[str, int]
    verdict: VerdictView | None = None
