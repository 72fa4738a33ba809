"""Bodies and replies of exports."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.audit.export.domain import ExportStatus, Question, question_of
from shared.bodies import Body

Index = Annotated[int, Field(ge=0, le=2**53)]


class ExportBody(Body):
    """One of: a case, a debtor (with all of his cases), a visit, or the entries `from` … `until` - 1 of a log.

    `as_of` names the logs and their sizes, as an earlier export's `sizes` do: the same order at the same sizes gives
    the same file. Default: every log that could say something, at its newest checkpoint.
    """

    case_id: UUID | None = None
    debtor_id: UUID | None = None
    visit_id: UUID | None = None
    log: Annotated[str | None, Field(max_length=50)] = None
    start: Annotated[Index | None, Field(alias="from")] = None
    stop: Annotated[Index | None, Field(alias="until")] = None
    as_of: Annotated[dict[str, Index] | None, Field(max_length=50)] = None

    def question(self) -> Question:
        return question_of(
            case_id=self.case_id,
            debtor_id=self.debtor_id,
            visit_id=self.visit_id,
            log=self.log,
            start=self.start,
            stop=self.stop,
        )


class ExportView(BaseModel):
    """An export. READY: fetch its file below `/file` until `kept_until`; FAILED: `problem` says why."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    status: ExportStatus
    question: dict[str, str | int]
    sizes: dict[str, int]
    entries: int
    asked_at: datetime
    ready_at: datetime | None
    kept_until: datetime | None
    manifest_digest: str | None
    file_sha256: str | None
    file_bytes: int | None
    problem: str | None


class ProblemView(BaseModel):
    """The first thing that is wrong: a stable word for it, the place in the file, and a sentence."""

    kind: str
    place: str
    detail: str


class VerificationView(BaseModel):
    """Whether an export holds; `checked` says in plain words what was, `notes` what to look at besides."""

    ok: bool
    problem: ProblemView | None = None
    checked: list[str] = []
    notes: list[str] = []
