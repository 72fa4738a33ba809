"""Stored referrals: which rule fired, in which version, on which inputs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned


class ReferralRow(CasesTable, table=True):
    __tablename__ = "referral"
    __table_args__ = owned(tenant_via="case_id", to="case_file.id")

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(index=True)
    rule_id: str
    rule_version: str
    inputs: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    referred_at: datetime = Field(sa_type=UtcTime)
