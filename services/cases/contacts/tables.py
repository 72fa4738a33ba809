"""Contact attempts: calls, messages and letters, and what came of them."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime


class ContactAttemptRow(CasesTable, table=True):
    __tablename__ = "contact_attempt"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    channel: str
    result: str
    at: datetime = Field(sa_type=UtcTime)
    recorded_by: str
