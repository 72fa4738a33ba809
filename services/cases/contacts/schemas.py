"""Bodies and replies about contact attempts, and about checks before a contact."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.cases.consents.domain import Channel
from services.cases.contacts.domain import Result
from services.cases.debtors.schemas import Recorded
from shared.bodies import Body
from shared.law import PersonMet, PlaceType, StatedMoment

BATCH_MAX = 1_000
CHECKS_MAX = 200
# Our own label of a number or address, such as phone-1; the number itself is in the dossier.
ContactPoint = Annotated[str, Field(pattern=r"^[a-z]{1,12}-[0-9]{1,2}$")]


class AttemptBody(Body):
    """`place`: where it reached the person, as far as that is known, such as at work."""

    case_id: UUID
    channel: Channel
    result: Result
    at: StatedMoment
    contact_point: ContactPoint = "phone-1"
    person: PersonMet = PersonMet.DEBTOR
    place: PlaceType | None = None


class AttemptsBody(Body):
    attempts: Annotated[list[AttemptBody], Field(max_length=BATCH_MAX)]


class Flagged(BaseModel):
    """An attempt that the gate forbids. It is recorded as it happened; a person must look into it."""

    index: int
    rules: list[str]


class AttemptsRecorded(Recorded):
    flagged: list[Flagged]


class AttemptView(BaseModel):
    """`flagged`: the rules that forbade it."""

    id: UUID
    case_id: UUID
    channel: str
    result: str
    at: datetime
    contact_point: str
    person: str
    place: str | None
    recorded_by: str
    flagged: list[str]


class ContactBody(Body):
    """A contact to check before it is made; by default now. `place`: where it would reach the person, such as at work;
    `discloses`: a third party would learn of the debt."""

    case_id: UUID
    channel: Channel = Channel.CALL
    contact_point: ContactPoint = "phone-1"
    person: PersonMet = PersonMet.DEBTOR
    place: PlaceType | None = None
    at: StatedMoment | None = None
    discloses: bool = False


class ContactChecksBody(Body):
    contacts: Annotated[list[ContactBody], Field(min_length=1, max_length=CHECKS_MAX)]


class ContactCheckView(BaseModel):
    """The decision; and whether channel and time suit what the debtor said (absent: nothing was said)."""

    case_id: UUID
    verdict: str
    decision: dict[str, Any]
    suits_the_debtor: bool | None


class ContactChecksView(BaseModel):
    items: list[ContactCheckView]
