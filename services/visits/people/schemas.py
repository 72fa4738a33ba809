"""Bodies and replies about collectors and teams."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import UUID4, BaseModel, Field

from shared.bodies import Body
from shared.law import StatedDay

TEAM_SIZE_MIN = 2


class CollectorStatus(StrEnum):
    """ACTIVE: cleared, may be sent."""

    CANDIDATE = "CANDIDATE"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    LEFT = "LEFT"


class CertificateBody(Body):
    """Valid on both its days."""

    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{1,40}$")]
    valid_from: StatedDay
    valid_until: StatedDay


class CertificateView(BaseModel):
    code: str
    valid_from: date
    valid_until: date


class CollectorBody(Body):
    """Facts that are not known are left out; the gate then blocks and names them.

    `id` is the collector's subject at your identity provider, a UUID of version 4: a collector's token must name it.
    Left out, we give one, of version 7; so the two kinds never meet.
    """

    id: UUID4 | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)]
    status: CollectorStatus = CollectorStatus.CANDIDATE
    certificates: Annotated[list[CertificateBody], Field(max_length=50)] = []
    violent_crime_record: bool | None = None
    bad_credit: bool | None = None
    confidentiality_agreement: bool | None = None
    experience_recorded: bool | None = None
    last_assessed_on: StatedDay | None = None


class CollectorView(BaseModel):
    id: UUID
    status: CollectorStatus
    certificates: list[CertificateView]
    last_assessed_on: date | None


class TeamBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    collector_ids: Annotated[list[UUID], Field(min_length=TEAM_SIZE_MIN, max_length=6)]


class TeamView(BaseModel):
    id: UUID
    name: str
    collector_ids: list[UUID]
