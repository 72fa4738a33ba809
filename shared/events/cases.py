"""Events of the service cases, on the topic cases.case.v1. The key is the case: its events keep their order."""

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event
from shared.events.values import AgreedWindow, Amount, Product

TOPIC = "cases.case.v1"


class CaseEvent(Event):
    topic: ClassVar[str] = TOPIC
    case_id: UUID


class CaseOpened(CaseEvent):
    """A debtor's first accepted account at a lender. `time_zone` (IANA) and `jurisdiction` follow the address."""

    type: ClassVar[str] = "doorstep.cases.case-opened.v1"
    debtor_id: UUID
    lender_id: str
    placement_id: UUID
    jurisdiction: str
    country: str
    time_zone: str
    product: Product
    balance: Amount
    days_past_due: int
    bucket: str
    accounts: int
    prior_notice_at: AwareDatetime | None = None
    region: str | None = None
    transferred: bool | None = None


class DebtorRecognised(CaseEvent):
    """Whom a case is about, as a keyed digest that is the same for a person at every lender. It is in no lender's log:
    lenders must not learn that they have a debtor in common."""

    type: ClassVar[str] = "doorstep.cases.debtor-recognised.v1"
    across_lenders: ClassVar[bool] = True
    person_ref: str


class CaseUpdated(CaseEvent):
    """What a case owes, how late it is or its accounts changed, by the lender's report or with the days; the values are
    the new ones. `balance` is `owed`."""

    type: ClassVar[str] = "doorstep.cases.case-updated.v1"
    balance: Amount
    days_past_due: int
    bucket: str
    accounts: int
    owed: Amount | None = None
    overpaid: Amount | None = None
    asked: Amount | None = None
    open_accounts: int | None = None


class CaseClosed(CaseEvent):
    """Nothing is demanded of this case any more: `reason` PAID (it owes nothing, by the lender's word), ABSENT (it is
    no longer in the lender's full file) or RETURNED (we gave it back). It may be reopened."""

    type: ClassVar[str] = "doorstep.cases.case-closed.v1"
    reason: str = Field(description="why, a code: PAID, ABSENT or RETURNED", examples=["PAID"])


class CaseRecalled(CaseEvent):
    """The lender took back the last account of the case: all contact ends at once."""

    type: ClassVar[str] = "doorstep.cases.case-recalled.v1"


class CaseReopened(CaseEvent):
    """The case owes something again, or is placed with us again. `reason` says as what it was closed, `cause` what
    opened it: MONEY (a line, such as a reversal) or STATEMENT (new figures of the lender)."""

    type: ClassVar[str] = "doorstep.cases.case-reopened.v1"
    reason: str = Field(description="as what it was closed: PAID, ABSENT, RETURNED or RECALLED", examples=["PAID"])
    cause: str | None = Field(None, description="what opened it, a code: MONEY or STATEMENT", examples=["MONEY"])


class AccountsRecalled(CaseEvent):
    """The lender took accounts of the case back, for a coded reason. Others of the case may stay."""

    type: ClassVar[str] = "doorstep.cases.accounts-recalled.v1"
    account_ids: list[UUID]
    reason: str = Field(description="why, a code of RecallReason", examples=["SETTLED_WITH_LENDER"])


class CaseReferred(CaseEvent):
    """A case warrants field visits: which rule fired on which inputs. `purpose` is a VisitPurpose."""

    type: ClassVar[str] = "doorstep.cases.case-referred.v1"
    referral_id: UUID
    rule_id: str
    inputs: dict[str, Any]
    purpose: str = "DEMAND"


class CaseHeld(CaseEvent):
    """Contact stops (scope visit, call or all), for a HoldReason, to be reviewed on a day."""

    type: ClassVar[str] = "doorstep.cases.case-held.v1"
    hold_id: UUID
    reason: str = Field(description="why, a code of HoldReason", examples=["DISPUTE_PENDING"])
    scope: str = Field(description="which contact stops: visit, call or all", examples=["visit"])
    review_on: date


class CaseReleased(CaseEvent):
    """A hold ended, by an action of its own."""

    type: ClassVar[str] = "doorstep.cases.case-released.v1"
    hold_id: UUID
    reason: str = Field(description="the hold's reason, a code of HoldReason", examples=["DISPUTE_PENDING"])


class PaymentReceived(CaseEvent):
    """Money arrived: from the lender's report, or provisional from a collector's receipt until the lender confirms.
    `visit_id`: the visit at which it was taken in cash."""

    type: ClassVar[str] = "doorstep.cases.payment-received.v1"
    payment_id: UUID
    amount: Amount
    received_on: date
    provisional: bool = False
    account_id: UUID | None = None
    visit_id: UUID | None = None


class PaymentReversed(CaseEvent):
    """A payment of an account, or a part of it, was taken back, such as a returned cheque. `received_on` is the value
    date of the payment. Without `payment_id` the payment is unknown."""

    type: ClassVar[str] = "doorstep.cases.payment-reversed.v1"
    reversal_id: UUID
    account_id: UUID
    payment_id: UUID | None = None
    amount: Amount = Field(description="how much was taken back, more than 0")
    received_on: date = Field(description="the value date of the payment that was taken back")
    provisional: bool = False


class NoticeRecorded(CaseEvent):
    """The debtor was sent a notice (kind such as PRIOR_NOTICE), with the digest of its proof."""

    type: ClassVar[str] = "doorstep.cases.notice-recorded.v1"
    notice_id: UUID
    kind: str = Field(description="what was told, such as PRIOR_NOTICE", examples=["PRIOR_NOTICE"])
    channel: str
    sent_at: AwareDatetime
    proof_digest: str


class DebtorReached(CaseEvent):
    """The debtor was reached for the first time, by whatever way: what the law counts from the first communication,
    counts from here. Published again when an earlier contact is recorded later: the earliest one counts."""

    type: ClassVar[str] = "doorstep.cases.debtor-reached.v1"
    first_contact_at: AwareDatetime


class ConsentRecorded(CaseEvent):
    """The debtor allowed something, or asked for it. It holds from `given_at` until `valid_until`, unless withdrawn."""

    type: ClassVar[str] = "doorstep.cases.consent-recorded.v1"
    consent_id: UUID
    scope: str = Field(description="what is allowed, a code of ConsentScope", examples=["HOURS"])
    channel: str = Field(description="how it was given, such as IN_WRITING", examples=["IN_WRITING"])
    given_at: AwareDatetime
    valid_until: AwareDatetime | None = None
    proof_digest: str


class ConsentWithdrawn(CaseEvent):
    """The debtor took a consent back; acts from `withdrawn_at` on can no longer rest on it."""

    type: ClassVar[str] = "doorstep.cases.consent-withdrawn.v1"
    consent_id: UUID
    scope: str = Field(description="what was allowed, a code of ConsentScope", examples=["HOURS"])
    withdrawn_at: AwareDatetime


class ContactPreferenceRecorded(CaseEvent):
    """When, where and how the debtor wants to be contacted; it takes the place of what was said before."""

    type: ClassVar[str] = "doorstep.cases.contact-preference-recorded.v1"
    preference_id: UUID
    channels: list[str]
    windows: list[AgreedWindow]
    inconvenient_places: list[str]
    employer_forbids: bool


class QuietPeriodRecorded(CaseEvent):
    """Days on which no one asks the debtor to pay, first and last included; without a last day: until one is recorded
    under the same id."""

    type: ClassVar[str] = "doorstep.cases.quiet-period-recorded.v1"
    period_id: UUID
    reason: str = Field(description="why, a code of QuietReason", examples=["BREATHING_SPACE"])
    first_day: date
    last_day: date | None = None
    proof_digest: str


class ComplaintFiled(CaseEvent):
    """The debtor complained. Contact is held until it is resolved; an answer is due by a day."""

    type: ClassVar[str] = "doorstep.cases.complaint-filed.v1"
    complaint_id: UUID
    kind: str = Field(description="what it is about, a code of ComplaintKind", examples=["CONDUCT"])
    filed_at: AwareDatetime
    answer_due_on: date
    hold_id: UUID


class ComplaintResolved(CaseEvent):
    """A complaint was answered, and found to be right or not."""

    type: ClassVar[str] = "doorstep.cases.complaint-resolved.v1"
    complaint_id: UUID
    outcome: str
    in_time: bool


class AddressVerified(CaseEvent):
    """The address was checked: real or not, and whether it lies in a hazard zone."""

    type: ClassVar[str] = "doorstep.cases.address-verified.v1"
    address_id: UUID
    verified: bool
    hazard: bool
    place_type: str | None = None


class LenderAgencyChanged(Event):
    """What a lender has recorded about us, its agent, from now on; what is absent is unknown. The key is an id of the
    record, one a lender."""

    type: ClassVar[str] = "doorstep.cases.lender-agency-changed.v1"
    topic: ClassVar[str] = TOPIC
    lender_id: str
    changed_at: AwareDatetime | None = None
    reviewed_on: date | None = None
    listed: bool | None = None


class DossierRead(Event):
    """A person read personal data of these cases; the actor of the envelope is the person for whom it was read."""

    type: ClassVar[str] = "doorstep.cases.dossier-read.v1"
    topic: ClassVar[str] = TOPIC
    case_ids: list[UUID]
    reason: str = Field(description="what for, as the reader said: a code", examples=["VISIT"])
