"""Bodies and replies of the gate."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.bodies import Body, Digest
from shared.law import OtherGround, StatedDay, StatedMoment, Step

CHECKS_MAX = 200


class GateCheckBody(Body):
    """A dry run: what would the gate say? Nothing is stored."""

    case_ids: Annotated[list[UUID], Field(min_length=1, max_length=CHECKS_MAX)]
    step: Step = Step.PLAN
    team_id: UUID | None = None
    at: StatedMoment | None = None


class LawfulWindow(BaseModel):
    """From `start`, before `end`."""

    start: datetime
    end: datetime


class Because(BaseModel):
    """A rule and its reason in words, at a moment."""

    rule_id: str
    at: datetime
    reason: dict[str, str]


class GateCheckView(BaseModel):
    """`remedies`: by deciding rule, how the facts are recorded that it needs. `earliest_lawful_at`: the first moment
    within 60 days, if there is one, at which the same step is lawful. `because`: the rule that blocks longest before
    it; null when lawful now."""

    case_id: UUID
    decision: dict[str, Any]
    remedies: dict[str, dict[str, str]]
    earliest_lawful_at: datetime | None
    because: Because | None


class GateChecksView(BaseModel):
    items: list[GateCheckView]


class LawfulWindowsBody(Body):
    """When, on one local day, may a visit of these cases begin?"""

    case_ids: Annotated[list[UUID], Field(min_length=1, max_length=CHECKS_MAX)]
    day: StatedDay


class CaseWindowsView(BaseModel):
    """The windows of the day, by the debtor's clock; `rule_id` is the rule that closes the rest of it."""

    case_id: UUID
    windows: list[LawfulWindow]
    rule_id: str | None


class LawfulWindowsView(BaseModel):
    items: list[CaseWindowsView]


class GroundBody(Body):
    """`proof_digest`: SHA-256 of the plan, the order or the note that shows it."""

    case_id: UUID
    ground: OtherGround
    valid_until: StatedMoment | None = None
    proof_digest: Digest


class GroundView(BaseModel):
    id: UUID
    case_id: UUID
    ground: str
    given_at: datetime
    valid_until: datetime | None
    proof_digest: str
    recorded_by: str


class ReplayView(BaseModel):
    """A stored decision, run again on its own facts by its own versions of the packs: does it come out the same?"""

    decision_id: UUID
    same: bool
    verdict: str
    replayed_verdict: str
    digest: str
    replayed_digest: str


class DecisionView(BaseModel):
    id: UUID
    case_id: UUID
    visit_id: UUID | None
    step: str
    verdict: str
    decided_at: datetime
    digest: str
    facts: dict[str, Any]
    decision: dict[str, Any]


class RuleCount(BaseModel):
    rule_id: str
    step: str
    verdict: str
    count: int


class StepCount(BaseModel):
    step: str
    verdict: str
    count: int


class RuleCounts(BaseModel):
    """`items`: rules that did not pass; `decisions`: all that were taken."""

    items: list[RuleCount]
    decisions: list[StepCount]
