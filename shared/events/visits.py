"""Events of the service visits, on the topic visits.visit.v1. The key is the case; a day plan has its own id as key."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event
from shared.events.values import Amount, Cash, CheckIn, EvidenceDigest, Instalment, ReportedTimes, Value

TOPIC = "visits.visit.v1"


Team = Annotated[list[UUID] | None, Field(description="the collectors whose act it was or was to be")]


class VisitEvent(Event):
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    visit_id: UUID


class GateDecided(Event):
    """The gate judged a step (Step) of a case's visit. `rules` maps each rule to its verdict; `deciding` names those
    that made the verdict. The full decision, with inputs, is read by `decision_id` in visits."""

    type: ClassVar[str] = "doorstep.visits.gate-decided.v1"
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    visit_id: UUID | None = None
    decision_id: UUID
    step: str
    verdict: str
    deciding: list[str]
    rules: dict[str, str] = Field(description="each rule's id with its verdict", examples=[{"tw.hours": "pass"}])
    packs: dict[str, str]
    decision_digest: str
    collector_ids: Team = None


class GroundRecorded(Event):
    """A ground, other than a consent, on which a rule may be lifted: a supervisor's safety plan, a court order."""

    type: ClassVar[str] = "doorstep.visits.ground-recorded.v1"
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    ground_id: UUID
    ground: str
    valid_until: AwareDatetime | None = None
    proof_digest: str


class OverrideUsed(Event):
    """A rule that would have stopped a step was lifted by the override that the rule itself names. `grounds` is the id
    of the recorded consent or request that it rests on."""

    type: ClassVar[str] = "doorstep.visits.override-used.v1"
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    visit_id: UUID | None = None
    decision_id: UUID
    step: str
    rule_id: str = Field(description="the rule that was lifted", examples=["tw-hours"])
    override: str
    grounds: str
    collector_ids: Team = None


class RulePackActivated(Event):
    """A version of a rule pack was approved by a second person and comes into force on a day, by each debtor's own
    calendar. Every service that judges keeps it, so that all judge by the same law at the same business time."""

    type: ClassVar[str] = "doorstep.visits.rule-pack-activated.v1"
    topic: ClassVar[str] = TOPIC
    pack_version_id: UUID
    pack: str
    pack_version: str
    pack_digest: str
    effective_from: date
    yaml: str


class RulePackWithdrawn(Event):
    """A version of a rule pack was taken back before its first day. Every service drops it; the law of its days is what
    it was without this version."""

    type: ClassVar[str] = "doorstep.visits.rule-pack-withdrawn.v1"
    topic: ClassVar[str] = TOPIC
    pack_version_id: UUID
    pack: str
    pack_version: str
    pack_digest: str
    effective_from: date


class IncidentReported(Event):
    """Something happened on a case's visit that a person must look into, such as a record whose proofs are missing."""

    type: ClassVar[str] = "doorstep.visits.incident-reported.v1"
    topic: ClassVar[str] = TOPIC
    case_id: UUID
    visit_id: UUID | None = None
    incident_id: UUID
    kind: str = Field(description="what happened, a code of IncidentKind", examples=["RECORD_INCOMPLETE"])
    rules: list[str] = Field(description="ids of the rules that say so", examples=[["cn-record-visit"]])
    missing: list[str]
    collector_ids: Team = None


class DayPlanPublished(Event):
    """A day's routes were published. Minor figures only; the visits are events of their own."""

    type: ClassVar[str] = "doorstep.visits.day-plan-published.v1"
    topic: ClassVar[str] = TOPIC
    plan_id: UUID
    day: date
    visits: int
    teams: int
    left_out: dict[str, int]
    metres: int


class VisitPlanned(VisitEvent):
    """A visit is on a team's route, with its window."""

    type: ClassVar[str] = "doorstep.visits.visit-planned.v1"
    plan_id: UUID
    team_id: UUID
    collector_ids: list[UUID]
    purpose: str
    window_start: AwareDatetime
    window_end: AwareDatetime


class VisitDispatched(VisitEvent):
    """A team was sent, after a stored decision that let it pass."""

    type: ClassVar[str] = "doorstep.visits.visit-dispatched.v1"
    team_id: UUID
    collector_ids: list[UUID]
    decision_id: UUID


class VisitDeparted(VisitEvent):
    """The team that was sent has set out."""

    type: ClassVar[str] = "doorstep.visits.visit-departed.v1"
    team_id: UUID
    collector_ids: list[UUID]


class VisitBlocked(VisitEvent):
    """A step was refused by the law or the house; the visit did not go on."""

    type: ClassVar[str] = "doorstep.visits.visit-blocked.v1"
    step: str
    decision_id: UUID
    rules: list[str] = Field(description="ids of the rules that stopped it", examples=[["tw.hours"]])
    collector_ids: Team = None


class VisitStarted(VisitEvent):
    """All the collectors that the visit needs have checked in."""

    type: ClassVar[str] = "doorstep.visits.visit-started.v1"
    check_ins: list[CheckIn]
    decision_id: UUID
    collector_ids: Team = None
    started_at: AwareDatetime | None = None


class PromiseTerms(Value):
    """What the debtor agreed to on a visit: amounts and days. It travels inside VisitCompleted. Without accounts it is
    about all of the case."""

    promise_id: UUID
    instalments: list[Instalment] = Field(min_length=1)
    account_ids: list[UUID] | None = None
    down_payment: bool | None = None
    on_missed: str | None = None


class VisitCompleted(VisitEvent):
    """What happened at the door, in codes: disposition, person met, promise, cash, and digests of the evidence.
    `contact` says whether the right party was met. `missing` names proofs that should have been taken."""

    type: ClassVar[str] = "doorstep.visits.visit-completed.v1"
    team_id: UUID
    collector_ids: list[UUID]
    purpose: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    disposition: str
    person_met: str
    contact: bool
    willingness: int | None = None
    ability: int | None = None
    promise: PromiseTerms | None = None
    cash: Cash | None = None
    evidence: list[EvidenceDigest]
    decision_id: UUID
    record_incomplete: bool
    missing: list[str]
    statement_commitment: str | None = None
    time_zone: str
    reported: ReportedTimes | None = None


class VisitSupplemented(VisitEvent):
    """Proofs that the record of a completed visit lacked were added later. `added` names them; `missing` those that it
    still lacks. The incident of the incomplete record stays on record."""

    type: ClassVar[str] = "doorstep.visits.visit-supplemented.v1"
    collector_ids: list[UUID]
    ended_at: AwareDatetime
    added: list[str]
    evidence: list[EvidenceDigest]
    decision_id: UUID
    record_incomplete: bool
    missing: list[str]
    reported: ReportedTimes | None = None


class VisitAborted(VisitEvent):
    """A visit was broken off; `reason` is a Disposition of the group not performed."""

    type: ClassVar[str] = "doorstep.visits.visit-aborted.v1"
    reason: str = Field(description="a Disposition of the group not performed", examples=["SAFETY_ABORT"])
    collector_ids: Team = None
    at: AwareDatetime | None = None
    reported: ReportedTimes | None = None


class VisitMissed(VisitEvent):
    """The local day of a planned visit is over and it did not begin. Its case is wanted again. Late evidence of the
    same day can still start it: VisitStarted follows then."""

    type: ClassVar[str] = "doorstep.visits.visit-missed.v1"
    team_id: UUID
    collector_ids: list[UUID]
    day: date = Field(description="the day of the visit, in the place's own time")
    reason: str = Field(description="why, a code of MissedReason", examples=["NO_CHECK_IN"])
    known_status: str = Field(description="where the visit stood, a code of VisitStatus", examples=["DISPATCHED"])


class VisitCancelled(VisitEvent):
    """A planned visit was taken off before anybody came to the door."""

    type: ClassVar[str] = "doorstep.visits.visit-cancelled.v1"
    reason: str = Field(description="a Disposition of the group not performed", examples=["CANCELLED"])
    collector_ids: Team = None


class CashReceived(VisitEvent):
    """A collector took cash against a receipt."""

    type: ClassVar[str] = "doorstep.visits.cash-received.v1"
    receipt_number: str
    amount: Amount
    received_on: date
    collector_ids: Team = None


class CollectorStatusChanged(Event):
    """A collector was registered, cleared, suspended or reinstated, or has left; or the certificates changed, which are
    named by code. A suspended collector may not be sent. The reason is kept in visits."""

    type: ClassVar[str] = "doorstep.visits.collector-status-changed.v1"
    topic: ClassVar[str] = TOPIC
    collector_id: UUID
    status: str = Field(description="the collector's state now, such as ACTIVE", examples=["ACTIVE"])
    certificates: list[str]
    previous_status: str | None = Field(None, description="where the collector stood before", examples=["ACTIVE"])
    change_id: UUID | None = None


class CollectorCorrected(Event):
    """Facts about a collector were corrected. `fields` names them; old and new values are kept in visits, under
    `change_id`."""

    type: ClassVar[str] = "doorstep.visits.collector-corrected.v1"
    topic: ClassVar[str] = TOPIC
    collector_id: UUID
    change_id: UUID
    fields: list[str]


class TeamChanged(Event):
    """A team has other members from a day on, the lead first. `earlier_collector_ids`: those
    that it had for that day until now."""

    type: ClassVar[str] = "doorstep.visits.team-changed.v1"
    topic: ClassVar[str] = TOPIC
    team_id: UUID
    change_id: UUID
    from_day: date
    collector_ids: list[UUID]
    earlier_collector_ids: list[UUID]
