"""Bodies and replies of a visit."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from services.visits.visit.clocks import EntryReason, TimeFlag
from shared.bodies import Body, Digest, NamesEvidence, PhoneAmount, PhoneBody
from shared.instalments import ACCOUNTS_MAX, INSTALMENTS_MAX, OnMissed
from shared.law import Conduct, ConsentScope, Disposition, Document, LegalDay, LegalMoment, PersonMet

Evidence = Annotated[str, Field(pattern=r"^([0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"), NamesEvidence]
_SUBTYPES = {
    "audio": "aac amr flac m4a mp4 mpeg ogg opus wav webm",
    "video": "3gpp h264 mp4 ogg quicktime webm",
    "image": "avif gif heic heif jpeg png webp",
    "application": "json octet-stream pdf zip",
}
MEDIA_TYPES = frozenset(f"{kind}/{name}" for kind, names in _SUBTYPES.items() for name in names.split())
Share = Annotated[int, Field(ge=1, le=5)]


OF_THE_ATTEMPT = frozenset({"device_now"})
"""Fields of a report that differ each time a phone sends it."""


class ReportBody(PhoneBody):
    """A report with times. `device_now` is the phone's clock at the moment of sending, new at each attempt: the times
    are corrected by its error. `entry_reason`: a supervisor enters times that no phone can report."""

    device_now: LegalMoment | None = None
    entry_reason: EntryReason | None = None


class CheckInBody(ReportBody):
    """What the phone says on arrival; positions in degrees, metres; `carried` the papers that the collector has
    along."""

    collector_id: UUID
    device_time: LegalMoment
    latitude: Annotated[float | None, Field(ge=-90, le=90)] = None
    longitude: Annotated[float | None, Field(ge=-180, le=180)] = None
    accuracy_m: Annotated[float | None, Field(ge=0, le=100_000)] = None
    mock_location: bool = False
    carried: Annotated[list[Document] | None, Field(max_length=len(Document))] = None


class InstalmentBody(PhoneBody):
    due_on: LegalDay
    amount: PhoneAmount


class PromiseBody(PhoneBody):
    """`account_ids`: what the promise is about, all of the case by default. `down_payment`: cash of this visit counts
    towards it. `on_missed`: whether a missed instalment ends it; the lender's terms by default."""

    instalments: Annotated[list[InstalmentBody], Field(min_length=1, max_length=INSTALMENTS_MAX)]
    account_ids: Annotated[list[UUID], Field(max_length=ACCOUNTS_MAX)] = []
    down_payment: bool = False
    on_missed: OnMissed | None = None


class CashBody(PhoneBody):
    receipt_number: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,40}$")]
    amount: PhoneAmount


def _known_or_other(media_type: str) -> str:
    """A type that is not on the list keeps its first half alone: it stands in an event, and the second half may hold
    any word."""
    return media_type if media_type in MEDIA_TYPES else f"{media_type.partition('/')[0]}/x-other"


class EvidenceBody(PhoneBody):
    """A file on the phone: its SHA-256 now, its bytes later."""

    digest: Digest
    media_type: Annotated[
        str,
        Field(pattern=r"^(audio|video|image|application)/[a-z0-9.+-]{1,60}$"),
        AfterValidator(_known_or_other),
    ]
    size_bytes: Annotated[int, Field(ge=1, le=10_000_000_000)]


class CompleteVisitBody(ReportBody):
    """What happened at the door. `consents` maps a consent that was given there (such as ENTRY) to its evidence: the
    digest of a recording or the id of a record. `willing_now`: the debtor was happy to talk at an unannounced visit."""

    ended_at: LegalMoment
    disposition: Disposition
    person_met: PersonMet
    indoor: bool = False
    willingness: Share | None = None
    ability: Share | None = None
    statement: Annotated[str | None, Field(max_length=10_000)] = None
    evidence: Annotated[list[EvidenceBody], Field(max_length=50)] = []
    credentials_shown: bool | None = None
    authority_shown: bool | None = None
    fees_taken: bool | None = None
    consents: dict[ConsentScope, Evidence] = {}
    willing_now: bool | None = None
    asked_to_leave_at: LegalMoment | None = None
    left_at: LegalMoment | None = None
    conduct: Annotated[list[Conduct], Field(max_length=len(Conduct))] = []
    promise: PromiseBody | None = None
    cash: CashBody | None = None


class SupplementBody(ReportBody):
    """Proofs that a record lacks, added later. They never replace what the record says."""

    credentials_shown: bool | None = None
    authority_shown: bool | None = None
    willing_now: bool | None = None
    left_at: LegalMoment | None = None
    consents: dict[ConsentScope, Evidence] = {}
    evidence: Annotated[list[EvidenceBody], Field(max_length=50)] = []


class AbortVisitBody(ReportBody):
    """`reason` is a disposition of the group not performed; `at` when it was broken off, now if it is absent."""

    reason: Disposition
    at: LegalMoment | None = None


class CancelVisitBody(Body):
    reason: Disposition


class VisitView(BaseModel):
    """`held`: a hold, such as that of a complaint, stops the visit now, for the reasons of `held_by`; `off_duty`:
    collectors of the visit who are suspended or have left. Both are marks of visits that have not begun."""

    id: UUID
    case_id: UUID
    lender_id: str
    plan_id: UUID
    team_id: UUID
    collector_ids: list[UUID]
    day: date
    place_in_route: int
    status: str
    purpose: str
    window_start: datetime
    window_end: datetime
    checked_in: list[UUID]
    started_at: datetime | None
    ended_at: datetime | None
    disposition: str | None
    person_met: str | None
    record_incomplete: bool
    promise_id: UUID | None = None
    missed_reason: str | None = None
    overdue_since: datetime | None = None
    supplemented_at: datetime | None = None
    flags: list[TimeFlag] = []
    held: bool = False
    held_by: list[str] = []
    off_duty: list[UUID] = []


class ReportWarning(BaseModel):
    """Something odd in a phone's report: the field or the rule, never its value."""

    where: str
    what: str


class ReportedView(VisitView):
    """A visit after a phone's report."""

    warnings: list[ReportWarning] = []


class IncompleteRecordView(VisitView):
    """A completed visit whose record lacks proofs, by name."""

    missing: list[str]
    decision_id: UUID


class CompletedView(IncompleteRecordView, ReportedView):
    """A completed visit, with the proofs that are missing in its record, if any are."""
