"""Replies of the search: a page with the sizes that it is held to, and the verdict on a subject."""

from typing import Self

from pydantic import BaseModel, Field

from services.audit.search.domain import Gap, GapKind
from services.audit.trail.schemas import EntryView


class GapView(BaseModel):
    """What is missing or wrong: where, and in words."""

    kind: GapKind
    log: str
    number: int | None = Field(description="the subject's number that is missing or wrong")
    index: int | None = Field(description="index in the log, where it is known")
    aggregate: str | None = Field(description="whose event never reached the trail: service:id")
    version: int | None = Field(description="which of its events")
    zh: str
    en: str

    @classmethod
    def of(cls, gap: Gap) -> Self:
        return cls.model_validate(gap, from_attributes=True)


class SubjectCount(BaseModel):
    """How many entries a log has counted for a subject at a size, and how many of them are here and intact."""

    log: str
    ref: str
    size: int
    counted: int
    found: int


class VerdictView(BaseModel):
    """Whether that is all. `proven` says that the logs were counted whole and the chains' ends are in the signed tree;
    the verdict that comes with a search walks the chains only."""

    complete: bool
    found: int
    expected: int
    zh: str
    en: str
    proven: bool
    subjects: list[SubjectCount]
    gaps: list[GapView]


class SearchPage(BaseModel):
    """A page of a search, as of `sizes` (entries by log). The first page of a search about one subject brings its
    verdict, unless the subject has very many entries."""

    items: list[EntryView]
    next_cursor: str | None
    sizes: dict[str, int]
    verdict: VerdictView | None = None
