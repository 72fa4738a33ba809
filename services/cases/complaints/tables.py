"""Complaints. What was said stands in the document whose digest is kept, not here."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Self
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from services.cases.base import CasesTable
from services.cases.complaints.domain import Complaint
from shared.database import UtcTime
from shared.tenants import owned


class ComplaintRow(CasesTable, table=True):
    """`answer_due_at` is the end of `answer_due_on` by the debtor's clock."""

    __tablename__ = "complaint"
    __table_args__ = (Index("ix_complaint_lender_id_id", "lender_id", "id"), owned(tenant="lender_id"))

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str
    hold_id: UUID
    kind: str
    channel: str
    proof_digest: str | None = None
    filed_at: datetime = Field(sa_type=UtcTime)
    filed_by: str
    answer_due_on: date
    answer_due_at: datetime = Field(sa_type=UtcTime)
    due_by_rule: str
    outcome: str | None = None
    answer_digest: str | None = None
    resolved_at: datetime | None = Field(default=None, sa_type=UtcTime)
    resolved_by: str | None = None

    @classmethod
    def of(cls, complaint: Complaint) -> Self:
        return cls(**asdict(complaint))

    @property
    def state(self) -> Complaint:
        return Complaint(**self.model_dump())

    def become(self, complaint: Complaint) -> None:
        """Take a complaint's new state."""
        self.sqlmodel_update(asdict(complaint))
