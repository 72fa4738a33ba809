"""The facts that a decision rests on. None means unknown: where a blocking rule needs the fact, unknown blocks.

Facts are plain data that go to JSON and back, so that a stored decision can be run again years later.
"""

from datetime import date
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.law.terms import HoldReason, HoldScope, PersonMet, PlaceType, VisitPurpose


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Certificate(_Fact):
    """Valid on both its days, first and last."""

    code: str
    valid_from: date
    valid_until: date


class CollectorFacts(_Fact):
    """What the law asks about a collector. `ref` is our own id."""

    ref: str
    cleared: bool | None = None
    certificates: tuple[Certificate, ...] = ()
    violent_crime_record: bool | None = None
    bad_credit: bool | None = None
    confidentiality_agreement: bool | None = None
    experience: bool | None = None
    last_assessed_on: date | None = None


class HoldFacts(_Fact):
    reason: HoldReason
    scope: HoldScope = HoldScope.ALL


class Facts(_Fact):
    """One act: a visit at a step, or a call. `at` is the time of the act, not of its arrival."""

    jurisdiction: str
    at: AwareDatetime
    country: str | None = None
    region: str | None = None
    time_zone: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    place_type: PlaceType = PlaceType.HOME
    indoor: bool | None = None
    purpose: VisitPurpose = VisitPurpose.DEMAND
    person_met: PersonMet | None = None
    third_party_data: bool | None = None
    address_verified: bool | None = None
    hazard: bool | None = None
    safety_plan: bool = False
    collectors: tuple[CollectorFacts, ...] | None = None
    checked_in: tuple[str, ...] = ()
    required_certificates: frozenset[str] = frozenset()
    holds: tuple[HoldFacts, ...] = ()
    contact_visits: tuple[AwareDatetime, ...] = ()
    prior_notice_at: AwareDatetime | None = None
    consents: dict[str, str] = {}
    credentials_shown: bool | None = None
    authority_shown: bool | None = None
    recordings: int | None = None
    agency_reviewed_on: date | None = None
    distance_m: float | None = None
    accuracy_m: float | None = None
    clock_offset_seconds: float | None = None
    calls_unanswered_today: int | None = None
    calls_effective_today: int | None = None
    fees_taken: bool | None = None
    arrangement_months: int | None = None

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Facts":
        return cls.model_validate(document)
