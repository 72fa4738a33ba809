"""Bodies and replies about debtors. The dossier is the one reply with personal data."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.cases.casefile.schemas import AccountView
from shared.bodies import Body, Digest
from shared.events.values import Amount
from shared.law import NoticeKind, PlaceType, StatedMoment

BATCH_MAX = 200


class AddressView(BaseModel):
    text: str | None
    district: str | None
    latitude: float | None
    longitude: float | None
    verified: bool | None
    hazard: bool | None


class NoticeView(BaseModel):
    kind: str
    channel: str
    sent_at: datetime


class NoticeRecordView(NoticeView):
    """A notice with the digest of its proof."""

    id: UUID
    case_id: UUID
    proof_digest: str


class DossierView(BaseModel):
    """What a team needs at the door. Reading it is itself recorded. Ask the debtor for no more than `asked`; where that
    is less than `balance`, `asked_because` says why: BOOK_DAY_IN_DOUBT, the lender's figure may contain a payment of
    the last days already."""

    case_id: UUID
    lender_id: str
    name: str | None
    national_id: str | None
    phone: str | None
    language: str | None
    addresses: list[AddressView]
    notices: list[NoticeView]
    accounts: list[AccountView]
    balance: Amount
    asked: Amount
    asked_because: Literal["BOOK_DAY_IN_DOUBT"] | None = None
    days_past_due: int
    bucket: str


class DebtorSearchBody(Body):
    """A lender's own reference of a debtor or an account. It is personal, so it travels in a body only."""

    lender_id: Annotated[str, Field(max_length=80)]
    reference: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S+$")]


class DebtorView(BaseModel):
    """A debtor and the case by our own ids, by which everything else is asked."""

    debtor_id: UUID
    case_id: UUID


class DebtorsView(BaseModel):
    """More than one where the same person owes in several currencies."""

    items: list[DebtorView]


class LocationsBody(Body):
    case_ids: Annotated[list[UUID], Field(min_length=1, max_length=BATCH_MAX)]
    reason: Literal["PLANNING"]


class LocationView(BaseModel):
    case_id: UUID
    latitude: float
    longitude: float


class LocationsView(BaseModel):
    """Cases without a position are left out."""

    items: list[LocationView]


class VerificationBody(Body):
    case_id: UUID
    verified: bool
    hazard: bool
    method: Literal["REGISTRY", "DOCUMENT", "FIELD_CHECK", "MAP"]
    place_type: PlaceType | None = None
    at: StatedMoment


class VerificationsBody(Body):
    verifications: Annotated[list[VerificationBody], Field(max_length=BATCH_MAX)]


class NoticeBody(Body):
    case_id: UUID
    kind: NoticeKind
    channel: Literal["LETTER", "EMAIL", "SMS", "IN_PERSON"]
    sent_at: StatedMoment
    proof_digest: Digest


class NoticesBody(Body):
    notices: Annotated[list[NoticeBody], Field(max_length=BATCH_MAX)]


class Refused(BaseModel):
    index: int
    code: str
    message: str


class Recorded(BaseModel):
    """How many of a batch were recorded, and what was refused, by its place in the batch."""

    recorded: int
    refused: list[Refused]
