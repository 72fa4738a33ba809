"""The closed lists of words that the law and the field use. Separate axes: they are not mixed."""

from enum import StrEnum


class Step(StrEnum):
    """When a rule is judged: at a step of a visit, or at a contact in another way. A LETTER is one about the debt; what
    the law obliges one to send, such as a notice or the answer to a complaint, is not asked about."""

    INTAKE = "INTAKE"
    PLAN = "PLAN"
    DISPATCH = "DISPATCH"
    CHECK_IN = "CHECK_IN"
    COMPLETION = "COMPLETION"
    CALL = "CALL"
    LETTER = "LETTER"


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict
    WARN = "warn"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        return ("pass", "warn", "block").index(self.value)


class PlaceType(StrEnum):
    HOME = "HOME"
    WORKPLACE = "WORKPLACE"
    BUSINESS = "BUSINESS"
    SCHOOL = "SCHOOL"
    HOSPITAL = "HOSPITAL"
    OTHER = "OTHER"


class VisitPurpose(StrEnum):
    """Why a visit is made; with a hold's reason it decides whether the hold stops it."""

    DEMAND = "DEMAND"
    AGREED_REVISIT = "AGREED_REVISIT"
    HARDSHIP_REVIEW = "HARDSHIP_REVIEW"
    PICKUP = "PICKUP"
    FOLLOW_UP = "FOLLOW_UP"


class PersonMet(StrEnum):
    DEBTOR = "DEBTOR"
    CO_DEBTOR = "CO_DEBTOR"
    GUARANTOR = "GUARANTOR"
    AUTHORISED_REPRESENTATIVE = "AUTHORISED_REPRESENTATIVE"
    THIRD_PARTY = "THIRD_PARTY"
    NONE = "NONE"

    @property
    def is_right_party(self) -> bool:
        return self not in (PersonMet.THIRD_PARTY, PersonMet.NONE)


class DispositionGroup(StrEnum):
    RIGHT_PARTY = "RIGHT_PARTY"
    OTHER_PARTY = "OTHER_PARTY"
    NO_CONTACT = "NO_CONTACT"
    NOT_PERFORMED = "NOT_PERFORMED"


class Disposition(StrEnum):
    """The coded result of a visit; exactly one."""

    PAID_IN_FULL = "PAID_IN_FULL"
    PAID_PARTIAL = "PAID_PARTIAL"
    PROMISE_TO_PAY = "PROMISE_TO_PAY"
    ARRANGEMENT_REQUESTED = "ARRANGEMENT_REQUESTED"
    SETTLEMENT_REQUESTED = "SETTLEMENT_REQUESTED"
    CLAIMS_PAID = "CLAIMS_PAID"
    UNABLE_TO_PAY = "UNABLE_TO_PAY"
    REFUSED_TO_PAY = "REFUSED_TO_PAY"
    DISPUTES_DEBT = "DISPUTES_DEBT"
    COMPLAINT_RAISED = "COMPLAINT_RAISED"
    CEASE_REQUESTED = "CEASE_REQUESTED"
    RESCHEDULE_REQUESTED = "RESCHEDULE_REQUESTED"
    NO_COMMITMENT = "NO_COMMITMENT"
    THIRD_PARTY_NO_DISCLOSURE = "THIRD_PARTY_NO_DISCLOSURE"
    WRONG_PARTY = "WRONG_PARTY"
    DECEASED_REPORTED = "DECEASED_REPORTED"
    INCAPACITY_REPORTED = "INCAPACITY_REPORTED"
    NO_ANSWER = "NO_ANSWER"
    PREMISES_LOCKED = "PREMISES_LOCKED"
    MOVED_AWAY = "MOVED_AWAY"
    ADDRESS_NOT_FOUND = "ADDRESS_NOT_FOUND"
    ACCESS_DENIED = "ACCESS_DENIED"
    SAFETY_ABORT = "SAFETY_ABORT"
    RULE_BLOCKED = "RULE_BLOCKED"
    ROUTE_OVERRUN = "ROUTE_OVERRUN"
    COLLECTOR_UNAVAILABLE = "COLLECTOR_UNAVAILABLE"
    CANCELLED_PAID = "CANCELLED_PAID"
    CANCELLED_RECALL = "CANCELLED_RECALL"

    @property
    def group(self) -> DispositionGroup:
        if self in _OTHER_PARTY:
            return DispositionGroup.OTHER_PARTY
        if self in _NO_CONTACT:
            return DispositionGroup.NO_CONTACT
        if self in _NOT_PERFORMED:
            return DispositionGroup.NOT_PERFORMED
        return DispositionGroup.RIGHT_PARTY

    @property
    def contact_made(self) -> bool:
        """Whether the right party was met."""
        return self.group is DispositionGroup.RIGHT_PARTY


_OTHER_PARTY = {
    Disposition.THIRD_PARTY_NO_DISCLOSURE,
    Disposition.WRONG_PARTY,
    Disposition.DECEASED_REPORTED,
    Disposition.INCAPACITY_REPORTED,
}
_NO_CONTACT = {
    Disposition.NO_ANSWER,
    Disposition.PREMISES_LOCKED,
    Disposition.MOVED_AWAY,
    Disposition.ADDRESS_NOT_FOUND,
    Disposition.ACCESS_DENIED,
}
_NOT_PERFORMED = {
    Disposition.SAFETY_ABORT,
    Disposition.RULE_BLOCKED,
    Disposition.ROUTE_OVERRUN,
    Disposition.COLLECTOR_UNAVAILABLE,
    Disposition.CANCELLED_PAID,
    Disposition.CANCELLED_RECALL,
}


class HoldReason(StrEnum):
    """Recorded reasons that stop contact."""

    COMPLAINT_PENDING = "COMPLAINT_PENDING"
    DISPUTE_PENDING = "DISPUTE_PENDING"
    HARDSHIP_REVIEW = "HARDSHIP_REVIEW"
    VULNERABLE_CUSTOMER = "VULNERABLE_CUSTOMER"
    PROMISE_ACTIVE = "PROMISE_ACTIVE"
    ARRANGEMENT_ACTIVE = "ARRANGEMENT_ACTIVE"
    SETTLEMENT_OPEN = "SETTLEMENT_OPEN"
    PAYMENT_UNCONFIRMED = "PAYMENT_UNCONFIRMED"
    INSOLVENCY = "INSOLVENCY"
    DECEASED = "DECEASED"
    BEREAVEMENT_OR_CALAMITY = "BEREAVEMENT_OR_CALAMITY"
    LEGAL_PROCEEDING = "LEGAL_PROCEEDING"
    REPRESENTED = "REPRESENTED"
    CEASE_REQUEST = "CEASE_REQUEST"
    IDENTITY_OR_FRAUD_REVIEW = "IDENTITY_OR_FRAUD_REVIEW"
    ADDRESS_UNVERIFIED = "ADDRESS_UNVERIFIED"
    SAFETY_RISK = "SAFETY_RISK"
    CONDUCT_INVESTIGATION = "CONDUCT_INVESTIGATION"
    LENDER_INSTRUCTION = "LENDER_INSTRUCTION"
    LENDER_RECALL = "LENDER_RECALL"


class HoldScope(StrEnum):
    VISIT = "visit"
    CALL = "call"
    ALL = "all"


class ConsentScope(StrEnum):
    """What a debtor can allow, or ask for. A rule names the one that lifts it."""

    HOURS = "HOURS"
    DEBTOR_REQUEST = "DEBTOR_REQUEST"
    ENTRY = "ENTRY"
    PLACE = "PLACE"
    HOME_VISIT = "HOME_VISIT"
    DISPUTE_VISIT = "DISPUTE_VISIT"


class OtherGround(StrEnum):
    """What lifts a rule and is nobody's consent: a record that a supervisor or a court has made."""

    SAFETY_PLAN = "SAFETY_PLAN"
    NOTICE_NOT_PRACTICABLE = "NOTICE_NOT_PRACTICABLE"
    COURT_ORDER = "COURT_ORDER"


class NoticeKind(StrEnum):
    """What a debtor was told in writing."""

    PRIOR_NOTICE = "PRIOR_NOTICE"
    VALIDATION = "VALIDATION"
    VISIT = "VISIT"
    AGENT = "AGENT"
    TRANSFER = "TRANSFER"


class Conduct(StrEnum):
    """What must not happen; reported, it is an incident."""

    NOTICE_POSTED = "NOTICE_POSTED"
    PROPERTY_TAKEN = "PROPERTY_TAKEN"
    BORROWING_URGED = "BORROWING_URGED"
    DEBT_DISCLOSED = "DEBT_DISCLOSED"


class Document(StrEnum):
    """Papers that collectors carry."""

    IDENTITY_CARD = "IDENTITY_CARD"
    NOTICE = "NOTICE"
    AUTHORISATION_LETTER = "AUTHORISATION_LETTER"


class QuietReason(StrEnum):
    """Why there are days on which nobody is asked to pay."""

    BREATHING_SPACE = "BREATHING_SPACE"
    BEREAVEMENT = "BEREAVEMENT"
    CALAMITY = "CALAMITY"
    WEDDING = "WEDDING"
    FESTIVAL = "FESTIVAL"
