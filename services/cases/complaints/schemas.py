"""Bodies and replies about complaints."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from services.cases.complaints.domain import (
    ComplaintChannel,
    ComplaintKind,
    ComplaintOutcome,
    FileComplaint,
    ResolveComplaint,
)
from shared.bodies import Body, Digest
from shared.law import StatedMoment


class FileComplaintBody(Body):
    """`filed_at`: when the debtor complained, now by default. `proof_digest`: SHA-256 of the letter or recording."""

    kind: ComplaintKind
    channel: ComplaintChannel
    filed_at: StatedMoment | None = None
    proof_digest: Digest | None = None

    def command(self, case_id: UUID) -> FileComplaint:
        return FileComplaint(case_id, self.kind, self.channel, self.filed_at, self.proof_digest)


class ResolveComplaintBody(Body):
    """`answer_digest`: SHA-256 of the answer that the debtor was sent."""

    outcome: ComplaintOutcome
    answer_digest: Digest

    def command(self, complaint_id: UUID) -> ResolveComplaint:
        return ResolveComplaint(complaint_id, self.outcome, self.answer_digest)


class ComplaintView(BaseModel):
    """`due_by_rule` is the rule that sets the day on which an answer is due."""

    id: UUID
    case_id: UUID
    kind: str
    channel: str
    proof_digest: str | None
    filed_at: datetime
    filed_by: str
    answer_due_on: date
    due_by_rule: str
    overdue: bool
    hold_id: UUID
    outcome: str | None
    answer_digest: str | None
    resolved_at: datetime | None
    resolved_by: str | None
