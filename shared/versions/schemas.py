"""What every room shows of a version."""

from datetime import date, datetime

from pydantic import BaseModel

from shared.versions.domain import Standing


class Differences(BaseModel):
    """What a version changes, in sentences."""

    en: list[str]
    zh: list[str]


class VersionView(BaseModel):
    """A version. `standing` says what it is on a day, and so why acts of that day use it, or not. `first_used_at`: the
    first act that names it."""

    digest: str
    status: str
    standing: Standing
    effective_from: date | None = None
    uploaded_by: str | None = None
    uploaded_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None
    first_used_at: datetime | None = None
