"""Events of the service audit, on the topic audit.evidence.v1: who read what in the trail, and what left it.
The key is the search, reading or export itself. Criteria are our own ids and codes only, never free text of a person.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event

TOPIC = "audit.evidence.v1"


class TrailEvent(Event):
    topic: ClassVar[str] = TOPIC


class TrailQuery(TrailEvent):
    """What was asked of the trail: each criterion that was set. A word that no entry bears is not kept."""

    log: str | None = None
    case_id: UUID | None = None
    debtor_id: UUID | None = None
    visit_id: UUID | None = None
    collector_id: UUID | None = None
    promise_id: UUID | None = None
    types: list[str] | None = None
    outcome: str | None = None
    rule: str | None = None
    acted_by: str | None = None
    correlation: str | None = None
    occurred_from: AwareDatetime | None = None
    occurred_until: AwareDatetime | None = None
    sizes: dict[str, int]


class TrailSearched(TrailQuery):
    """A person searched the trail, and how: PAGE, COUNTS, STORY, CSV, NDJSON or WATCH. `found` counts the entries
    that were shown; a stream is recorded before its first line, without a count."""

    type: ClassVar[str] = "doorstep.audit.trail-searched.v1"
    search_id: UUID
    form: str = Field(description="PAGE, COUNTS, STORY, CSV, NDJSON or WATCH", examples=["PAGE"])
    found: int | None = None


class TrailRead(TrailEvent):
    """A person read entries of a log as they are: one with its proof (ENTRY), or a bundle of them (BUNDLE).
    `case_ids` are the cases that a single entry is about."""

    type: ClassVar[str] = "doorstep.audit.trail-read.v1"
    reading_id: UUID
    form: str = Field(description="ENTRY or BUNDLE", examples=["ENTRY"])
    log: str
    first_index: int
    last_index: int
    case_ids: list[UUID] = Field(default=[], description="cases that the entry is about")


class ExportCreated(TrailQuery):
    """A package for a court was made of the trail; who holds its file can hold it to this digest. It is in the
    lender's log where all its entries are of that lender, else in the log `operator`."""

    type: ClassVar[str] = "doorstep.audit.export-created.v1"
    export_id: UUID
    first_index: int | None = None
    last_index: int | None = None
    entries: int
    manifest_digest: str


class ExportFetched(TrailEvent):
    """A person fetched the file of an export, with the case, debtor or visit that it is about."""

    type: ClassVar[str] = "doorstep.audit.export-fetched.v1"
    reading_id: UUID
    export_id: UUID
    case_id: UUID | None = None
    debtor_id: UUID | None = None
    visit_id: UUID | None = None
