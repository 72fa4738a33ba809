"""Stored decisions, whole: facts in, findings out; and one line for each rule that did not pass, to count by. And the
grounds, other than consents, on which a rule can be lifted."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Text
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.database import UtcTime
from shared.tenants import owned


class DecisionRow(VisitsTable, table=True):
    """`digest` is the SHA-256 of facts and decision in canonical JSON; the trail holds it, too."""

    __tablename__ = "decision"
    __table_args__ = owned(tenant_via="case_id", to="caseload.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    visit_id: UUID | None = Field(default=None, index=True)
    step: str
    verdict: str
    facts: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    decision: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    decided_at: datetime = Field(sa_type=UtcTime)
    version: int = Field(sa_type=BigInteger)


class DecisionRuleRow(VisitsTable, table=True):
    __tablename__ = "decision_rule"
    __table_args__ = owned(tenant_via="decision_id", to="decision.id")

    decision_id: UUID = Field(primary_key=True)
    rule_id: str = Field(primary_key=True)
    step: str
    verdict: str


class GroundRow(VisitsTable, table=True):
    """What lifts a rule and is nobody's consent (OtherGround), such as a supervisor's safety plan."""

    __tablename__ = "ground"
    __table_args__ = owned(tenant_via="case_id", to="caseload.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    ground: str
    given_at: datetime = Field(sa_type=UtcTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcTime)
    proof_digest: str
    recorded_by: str
    version: int = Field(sa_type=BigInteger)


class KeptPackRow(VisitsTable, table=True):
    """The text of a pack that a stored decision names: it can be run again when the program ships another one.
    `first_used_at`: the first such decision."""

    __tablename__ = "kept_pack"
    __table_args__ = owned(tenant=None, because="The law is the same for all.")

    digest: str = Field(primary_key=True)
    pack: str
    yaml: str = Field(sa_type=Text)
    first_used_at: datetime | None = Field(default=None, sa_type=UtcTime)
