"""Bodies and replies of the gate."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from shared.law import Step

CHECKS_MAX = 200


class GateCheckBody(BaseModel):
    """A dry run: what would the gate say? Nothing is stored."""

    case_ids: Annotated[list[UUID], Field(min_length=1, max_length=CHECKS_MAX)]
    step: Step = Step.PLAN
    team_id: UUID | None = None
    at: AwareDatetime | None = None


class GateCheckView(BaseModel):
    case_id: UUID
    decision: dict[str, Any]
    earliest_lawful_at: datetime | None


class GateChecksView(BaseModel):
    items: list[GateCheckView]


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


class RuleCounts(BaseModel):
    items: list[RuleCount]
