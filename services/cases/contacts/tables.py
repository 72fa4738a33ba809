"""Contact attempts: calls, messages and letters, and what came of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class ContactAttemptRow(CasesTable, table=True):
    """`flagged` names the rules that forbade it; `is_flagged` is their index."""

    __tablename__ = "contact_attempt"
    __table_args__ = (
        Index("ix_contact_attempt_flagged", "is_flagged", "id"),
        owned(tenant_via="case_id", to="case_file.id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    channel: str
    result: str
    at: datetime = Field(sa_type=UtcTime)
    contact_point: str
    person: str
    place: str | None = None
    recorded_by: str
    flagged: list[str] = Field(sa_column=Column(JSON, nullable=False))
    is_flagged: bool
