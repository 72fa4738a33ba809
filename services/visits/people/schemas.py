"""Bodies and replies about collectors and teams."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import UUID4, BaseModel, Field, field_validator, model_validator

from services.visits.people.domain import TEAM_SIZE_MIN, CollectorStatus
from shared.bodies import Body, Reason
from shared.law import StatedDay

TEAM_SIZE_MAX = 6
Name = Annotated[str, Field(min_length=1, max_length=200)]


class CertificateBody(Body):
    """Valid on both its days."""

    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{1,40}$")]
    valid_from: StatedDay
    valid_until: StatedDay


class CertificateView(BaseModel):
    code: str
    valid_from: date
    valid_until: date


Certificates = Annotated[list[CertificateBody], Field(max_length=50)]


class CollectorBody(Body):
    """Facts that are not known are left out; the gate then blocks and names them.

    `id` is the collector's subject at your identity provider, a UUID of version 4: a collector's token must name it.
    Left out, we give one, of version 7; so the two kinds never meet.
    """

    id: UUID4 | None = None
    name: Name
    status: CollectorStatus = CollectorStatus.CANDIDATE
    certificates: Certificates = []
    violent_crime_record: bool | None = None
    bad_credit: bool | None = None
    confidentiality_agreement: bool | None = None
    experience_recorded: bool | None = None
    last_assessed_on: StatedDay | None = None


class CorrectionBody(Body):
    """Facts to correct, and why. What is left out stays; null says that a fact is not known. `certificates` is the
    whole list as it should be."""

    reason: Reason
    name: Name | None = None
    certificates: Certificates | None = None
    violent_crime_record: bool | None = None
    bad_credit: bool | None = None
    confidentiality_agreement: bool | None = None
    experience_recorded: bool | None = None
    last_assessed_on: StatedDay | None = None

    @model_validator(mode="after")
    def _corrects_something(self) -> "CorrectionBody":
        if not self.named:
            raise ValueError("it corrects nothing: name at least one fact")
        for name in ("name", "certificates"):
            if name in self.named and getattr(self, name) is None:
                raise ValueError(f"`{name}` is always known: give the right value, or leave it out")
        return self

    @property
    def named(self) -> set[str]:
        """The facts that the body names."""
        return self.model_fields_set - {"reason"}


class CollectorView(BaseModel):
    """`off_duty`: suspended or left, may not be sent."""

    id: UUID
    name: str
    status: CollectorStatus
    off_duty: bool
    certificates: list[CertificateView]
    last_assessed_on: date | None


class CollectorFileView(CollectorView):
    """A collector with all facts that the law asks for."""

    violent_crime_record: bool | None
    bad_credit: bool | None
    confidentiality_agreement: bool | None
    experience_recorded: bool | None


class CollectorChangeView(BaseModel):
    """What was changed about a collector, when, by whom and why; `old` and `new` by field."""

    id: UUID
    what: str
    fields: list[str]
    made_by: str
    made_at: datetime
    reason: str | None
    old: dict[str, Any]
    new: dict[str, Any]


class TeamBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    collector_ids: Annotated[list[UUID], Field(min_length=TEAM_SIZE_MIN, max_length=TEAM_SIZE_MAX)]


class TeamMembersBody(Body):
    """The members of a team from a day on, the lead first; none where the team is off duty. A day is that of the
    visits, by the debtors' clock."""

    from_day: StatedDay
    collector_ids: Annotated[list[UUID], Field(max_length=TEAM_SIZE_MAX)]
    reason: Reason

    @field_validator("collector_ids")
    @classmethod
    def _complete_or_none(cls, value: list[UUID]) -> list[UUID]:
        if 0 < len(value) < TEAM_SIZE_MIN:
            raise ValueError(f"name at least {TEAM_SIZE_MIN} collectors, or none: then the team is off duty")
        return value


class LaterMembersView(BaseModel):
    """Members that a team has from a later day on."""

    from_day: date
    collector_ids: list[UUID]


class TeamView(BaseModel):
    """`collector_ids`: the members on the day that is asked for, the lead first; `later`: changes that are to come."""

    id: UUID
    name: str
    collector_ids: list[UUID]
    later: list[LaterMembersView] = []


class TeamMembersView(LaterMembersView):
    """One line of a team's history."""

    id: UUID
    made_by: str
    made_at: datetime
    reason: str | None
