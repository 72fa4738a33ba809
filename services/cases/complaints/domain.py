"""Complaints: what they are about, by when they are answered, and what came of them.

Commands come in; the new state of the complaint, the hold that it needs and the event to publish go out.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from services.cases.holds.domain import PlaceHold
from shared.errors import Conflict, Forbidden, Invalid
from shared.events.cases import ComplaintFiled, ComplaintResolved
from shared.law import Due, HoldReason, HoldScope, NoSuchPeriod, RulePack, deadline_for

# Where no pack in force names a day, complaints still get an answer.
ANSWER_DAYS_WITHOUT_RULE = 15


class ComplaintKind(StrEnum):
    CONDUCT = "CONDUCT"
    DISCLOSURE = "DISCLOSURE"
    FREQUENCY = "FREQUENCY"
    HOURS = "HOURS"
    AMOUNT = "AMOUNT"
    IDENTITY = "IDENTITY"
    FEES = "FEES"
    OTHER = "OTHER"


class ComplaintChannel(StrEnum):
    """How a complaint came."""

    CALL = "CALL"
    EMAIL = "EMAIL"
    LETTER = "LETTER"
    IN_PERSON = "IN_PERSON"
    LENDER = "LENDER"
    REGULATOR = "REGULATOR"


class ComplaintOutcome(StrEnum):
    UPHELD = "UPHELD"
    PARTLY_UPHELD = "PARTLY_UPHELD"
    NOT_UPHELD = "NOT_UPHELD"
    WITHDRAWN = "WITHDRAWN"


class Case(Protocol):
    """What a complaint needs to know of its case: whose it is, and by which law and clock days count."""

    @property
    def id(self) -> UUID: ...
    @property
    def lender_id(self) -> str: ...
    @property
    def country(self) -> str: ...
    @property
    def region(self) -> str | None: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FileComplaint:
    """`filed_at` is when the debtor complained; None means now."""

    case_id: UUID
    kind: ComplaintKind
    channel: ComplaintChannel
    filed_at: datetime | None
    proof_digest: str | None

    def day(self, time_zone: str, now: datetime) -> date:
        """The day of the complaint by the debtor's clock: its law decides."""
        return (self.filed_at or now).astimezone(ZoneInfo(time_zone)).date()


@dataclass(frozen=True, slots=True)
class ResolveComplaint:
    complaint_id: UUID
    outcome: ComplaintOutcome
    answer_digest: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint as it is stored. `answer_due_at` is the end of `answer_due_on` by the debtor's clock."""

    id: UUID
    case_id: UUID
    lender_id: str
    hold_id: UUID
    kind: str
    channel: str
    proof_digest: str | None
    filed_at: datetime
    filed_by: str
    answer_due_on: date
    answer_due_at: datetime
    due_by_rule: str
    outcome: str | None = None
    answer_digest: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None


def check_channel(channel: ComplaintChannel, *, by_phone_only: bool) -> None:
    """A caller files what the debtor said in a call. Raises Forbidden."""
    if by_phone_only and channel is not ComplaintChannel.CALL:
        raise Forbidden("not-by-phone", "`channel` must be CALL for a caller. Ask the desk to file it.")


def file(
    command: FileComplaint,
    *,
    complaint_id: UUID,
    hold_id: UUID,
    case: Case,
    packs: tuple[RulePack, ...],
    actor: str,
    now: datetime,
) -> tuple[Complaint, PlaceHold, ComplaintFiled]:
    """A new complaint, and the hold that stops contact until it is answered. `packs`: the law of the case on the day of
    the complaint. Raises Invalid for a complaint of the future."""
    filed_at, zone = command.filed_at or now, ZoneInfo(case.time_zone)
    if filed_at > now:
        raise Invalid("in-the-future", "`filed_at` must not be in the future: it is when the complaint was made.")
    due = answer_due(packs, command.day(case.time_zone, now), country=case.country, region=case.region)
    complaint = Complaint(
        id=complaint_id,
        case_id=case.id,
        lender_id=case.lender_id,
        hold_id=hold_id,
        kind=command.kind,
        channel=command.channel,
        proof_digest=command.proof_digest,
        filed_at=filed_at,
        filed_by=actor,
        answer_due_on=due.on,
        answer_due_at=datetime.combine(due.on + timedelta(days=1), time(), zone),
        due_by_rule=due.rule_id,
    )
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    hold = PlaceHold(
        case.id,
        HoldReason.COMPLAINT_PENDING,
        HoldScope.ALL,
        review_on=max(due.on, tomorrow),
        complaint_id=complaint_id,
    )
    event = ComplaintFiled(
        case_id=case.id,
        complaint_id=complaint_id,
        kind=command.kind,
        filed_at=filed_at,
        answer_due_on=due.on,
        hold_id=hold_id,
    )
    return complaint, hold, event


def answer_due(packs: tuple[RulePack, ...], filed_on: date, *, country: str, region: str | None) -> Due:
    """By when a complaint of a local day is answered, and by which rule."""
    try:
        return deadline_for(packs, "complaint", filed_on, country=country, region=region)
    except NoSuchPeriod:
        return Due(filed_on + timedelta(days=ANSWER_DAYS_WITHOUT_RULE), "none", "no rule in force names a day")


def resolve(
    complaint: Complaint, command: ResolveComplaint, *, actor: str, now: datetime
) -> tuple[Complaint, ComplaintResolved]:
    """The complaint, answered now. Raises Conflict for one that was resolved already."""
    if complaint.resolved_at is not None:
        raise Conflict("complaint-resolved", "This complaint was resolved already. File a new complaint.")
    resolved = replace(
        complaint,
        outcome=command.outcome,
        answer_digest=command.answer_digest,
        resolved_at=now,
        resolved_by=actor,
    )
    event = ComplaintResolved(
        case_id=complaint.case_id,
        complaint_id=complaint.id,
        outcome=command.outcome,
        in_time=now < complaint.answer_due_at,
    )
    return resolved, event
