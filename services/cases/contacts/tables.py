"""Contact attempts: calls, messages and letters, and what came of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class ContactAttemptRow(CasesTable, table=True):
    """`flagged` names the rules that forbade it; `is_flagged` is their index. The row names its lender, as the list of
    all attempts of a lender finds them by that."""

    __tablename__ = "contact_attempt"
    __table_args__ = (
        Index("ix_contact_attempt_flagged", "is_flagged", "id"),
        Index("ix_contact_attempt_lender_id_id", "lender_id", "id"),
        owned(tenant="lender_id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    lender_id: str
    channel: str
    result: str
    at: datetime = Field(sa_type=UtcTime)
    contact_point: str
    person: str
    place: str | None = None
    recorded_by: str
    flagged: list[str] = Field(sa_column=Column(JSON, nullable=False))
    is_flagged: bool
