"""The facts that a decision rests on. None means unknown: where a blocking rule needs the fact, unknown blocks.

Facts are plain data that go to JSON and back, so that a stored decision can be run again years later. Lists of what
is known to stand against an act (holds, quiet periods, denied places, conduct) are empty where nothing is known.
"""

from datetime import date, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.law.dates import LegalDay, LegalMoment
from shared.law.terms import (
    Conduct,
    Document,
    HoldReason,
    HoldScope,
    NoticeKind,
    PersonMet,
    PlaceType,
    QuietReason,
    VisitPurpose,
)


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Certificate(_Fact):
    """Valid on both its days, first and last; they are compared alone, so that any day of the calendar will do."""

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
    last_assessed_on: LegalDay | None = None


class HoldFacts(_Fact):
    """A hold from `since`, before `until`; without them it has begun, and has no end."""

    reason: HoldReason
    scope: HoldScope = HoldScope.ALL
    since: LegalMoment | None = None
    until: LegalMoment | None = None


class Grant(_Fact):
    """What lifts a rule (ConsentScope, OtherGround), the id of its evidence, and the time for which it was given: from
    `since` until `until`."""

    scope: str
    evidence: str
    since: LegalMoment | None = None
    until: LegalMoment | None = None

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether it holds at the start and at the end of an act."""
        given = self.since is None or self.since <= start
        return given and (self.until is None or (start < self.until and end <= self.until))


class QuietPeriod(_Fact):
    """Days, first and last included, on which nobody is asked to pay; no last day: none is on record."""

    reason: QuietReason
    first_day: LegalDay
    last_day: LegalDay | None = None


class Inquiry(_Fact):
    """Asking a third party where the debtor is: what is known before it is done."""

    discloses: bool
    refused: bool = False
    inquiries_so_far: int = 0
    debtor_has_valid_number: bool = True
    failed_calls: int = 0
    days_out_of_reach: int = 0


class Resolved(_Fact):
    """What was looked up for the moment `at`: it is stored, so that newer data cannot change an old decision.

    `to_the_end`: the act was judged from its start to its end. Decisions of earlier releases judged most rules by the
    start alone, and are run again in that way. `holiday_on` is the day of the holiday where it begins during the act.
    `days_off_unknown`: the calendar does not yet know which days that year makes up for others.
    """

    at: LegalMoment
    time_zone: str
    utc_offset_seconds: int
    holiday: str | None = None
    holidays_known: bool = True
    holiday_zh: str | None = None
    data: dict[str, str] = {}
    to_the_end: bool = False
    holiday_on: LegalDay | None = None
    days_off_unknown: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON. What an earlier release did not know stands in it only where it is set, so that an old decision
        keeps its digest."""
        document = self.model_dump(mode="json")
        added = ("to_the_end", "holiday_on", "days_off_unknown")
        return {name: value for name, value in document.items() if value or name not in added}


class Facts(_Fact):
    """One act: a visit at a step, or a call. `at` is the time of the act, not of its arrival; `ends_at` its end,
    where it is known. `consents` maps what lifts a rule (ConsentScope, OtherGround) to the id of its evidence, where it
    holds for the whole act; `grants` are those whose time is known."""

    jurisdiction: str
    at: LegalMoment
    ends_at: LegalMoment | None = None
    country: str | None = None
    region: str | None = None
    time_zone: str | None = None
    latitude: float | None = Field(None, allow_inf_nan=False)
    longitude: float | None = Field(None, allow_inf_nan=False)
    product: str | None = None
    place_type: PlaceType = PlaceType.HOME
    denied_places: frozenset[PlaceType] = frozenset()
    employer_forbids: bool = False
    indoor: bool | None = None
    purpose: VisitPurpose = VisitPurpose.DEMAND
    person_met: PersonMet | None = None
    inquiry: Inquiry | None = None
    third_party_data: bool | None = None
    address_verified: bool | None = None
    hazard: bool | None = None
    collectors: tuple[CollectorFacts, ...] | None = None
    checked_in: tuple[str, ...] = ()
    required_certificates: frozenset[str] = frozenset()
    holds: tuple[HoldFacts, ...] = ()
    quiet_periods: tuple[QuietPeriod, ...] = ()
    contact_visits: tuple[LegalMoment, ...] = ()
    other_cases_visits: tuple[LegalMoment, ...] = ()
    first_contact_at: LegalMoment | None = None
    notices: dict[NoticeKind, LegalMoment] = {}
    agent_changed_at: LegalMoment | None = None
    transferred: bool | None = None
    consents: dict[str, str] = {}
    grants: tuple[Grant, ...] = ()
    credentials_shown: bool | None = None
    authority_shown: bool | None = None
    carried: frozenset[Document] | None = None
    recordings: int | None = Field(None, ge=0)
    willing_now: bool | None = None
    asked_to_leave: tuple[LegalMoment, ...] = ()
    left_at: LegalMoment | None = None
    conduct: frozenset[Conduct] = frozenset()
    fees_taken: bool | None = None
    agency_reviewed_on: LegalDay | None = None
    agency_listed: bool | None = None
    distance_m: float | None = Field(None, allow_inf_nan=False)
    accuracy_m: float | None = Field(None, allow_inf_nan=False)
    clock_offset_seconds: float | None = Field(None, allow_inf_nan=False)
    mock_location: bool | None = None
    calls: tuple[LegalMoment, ...] | None = None
    conversations: tuple[LegalMoment, ...] | None = None
    calls_unanswered_today: int | None = Field(None, ge=0)
    calls_effective_today: int | None = Field(None, ge=0)
    arrangement_months: int | None = Field(None, ge=0)
    resolved: Resolved | None = None

    @property
    def person_visits(self) -> tuple[datetime, ...]:
        """Visits with contact of the person, in this case and in the others, whoever the lender is."""
        return self.contact_visits + self.other_cases_visits

    @property
    def lasts(self) -> timedelta | None:
        """How long the act lasts; None: nobody has said."""
        return None if self.ends_at is None else self.ends_at - self.at

    def evidence_for(self, scope: str, start: datetime, end: datetime) -> str | None:
        """The id of the evidence of a consent or ground that holds at the start and at the end of an act."""
        if scope in self.consents:
            return self.consents[scope]
        return next((each.evidence for each in self.grants if each.scope == scope and each.covers(start, end)), None)

    @model_validator(mode="after")
    def _runs_forwards(self) -> "Facts":
        if self.ends_at is not None and self.ends_at < self.at:
            raise ValueError("the act is reversed: ends_at is before at")
        return self

    def moved_to(self, at: datetime) -> "Facts":
        """The same act at another moment, as long as it was."""
        ends_at = None if self.lasts is None else at + self.lasts
        return self.model_copy(update={"at": at, "ends_at": ends_at, "resolved": None})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, sets in order, so that the same facts always give the same text."""
        document = self.model_dump(mode="json", exclude_defaults=True)
        for name in ("denied_places", "required_certificates", "carried", "conduct"):
            if name in document:
                document[name] = sorted(document[name])
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Facts":
        return cls.model_validate(document)
