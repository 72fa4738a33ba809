"""Collectors and teams. A collector's name is sealed; the facts that the law asks for are not personal to a debtor."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from services.visits.base import VisitsTable


class CollectorRow(VisitsTable, table=True):
    __tablename__ = "collector"

    id: UUID = Field(primary_key=True)
    wrapped_key: bytes
    sealed_name: bytes
    status: str
    certificates: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    violent_crime_record: bool | None = None
    bad_credit: bool | None = None
    confidentiality_agreement: bool | None = None
    experience_recorded: bool | None = None
    last_assessed_on: date | None = None
    version: int = Field(sa_type=BigInteger)


class TeamRow(VisitsTable, table=True):
    __tablename__ = "team"

    id: UUID = Field(primary_key=True)
    name: str


class TeamMemberRow(VisitsTable, table=True):
    """`rank` 0 leads."""

    __tablename__ = "team_member"

    team_id: UUID = Field(primary_key=True, foreign_key="team.id")
    rank: int = Field(primary_key=True)
    collector_id: UUID = Field(foreign_key="collector.id", index=True)
