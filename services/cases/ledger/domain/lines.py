"""A lender's line: is it new, a repetition, or wrong? Pure: the account's entries and the line in, an answer out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.cases.ledger.domain.balance import left_of
from services.cases.ledger.domain.entries import MOVEMENTS, Entry, Kind, paid_by_reference


class LineKind(StrEnum):
    PAYMENT = "PAYMENT"
    REVERSAL = "REVERSAL"
    CHARGE = "CHARGE"
    WAIVER = "WAIVER"
    ADJUSTMENT = "ADJUSTMENT"


class Result(StrEnum):
    ACCEPTED = "ACCEPTED"
    CONFIRMED = "CONFIRMED"
    DUPLICATE = "DUPLICATE"
    PENDING = "PENDING"
    UNMATCHED = "UNMATCHED"
    REVIEW = "REVIEW"
    REJECTED = "REJECTED"


ABSURD_FACTOR = 10
"""A line of more than so many times what the lender ever stated of the account is set aside for a person."""
_LOWERS = frozenset({LineKind.PAYMENT, LineKind.WAIVER})


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the lender reports it, in minor units of the account's currency. Only an adjustment may be negative.
    `posted_on` None: the lender does not name its book day; `posting_day` is then assumed."""

    reference: str
    kind: LineKind
    amount_minor: int
    value_date: date
    posting_day: date
    posted_on: date | None = None
    receipt_number: str | None = None
    reverses: str | None = None
    original_value_date: date | None = None
    components: Mapping[str, int] | None = None

    @property
    def entry_kind(self) -> Kind:
        confirms = self.kind is LineKind.PAYMENT and self.receipt_number is not None
        return Kind.CASH_CONFIRMED if confirms else Kind(self.kind)

    @property
    def signed_minor(self) -> int:
        return -self.amount_minor if self.kind in _LOWERS else self.amount_minor


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    code: str | None = None
    message: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether the line goes to the books."""
        return self.result in (Result.ACCEPTED, Result.CONFIRMED, Result.PENDING)


REVIEW = Answer(Result.REVIEW, "amount-absurd", "The amount is far above the debt: a person looks at the line.")


def judge(
    line: Line,
    entries: Sequence[Entry],
    today: date,
    receipts: Collection[str | None] = (),
    *,
    reviewed: bool = False,
) -> Answer:
    """What becomes of a line on an account with these entries. `today`: the lender's day; `receipts`: the numbers of
    the receipts for cash of its case; `reviewed`: a person has looked at its amount."""
    earlier = next((one for one in entries if one.kind in MOVEMENTS and one.reference == line.reference), None)
    if earlier is not None:
        return _same_or_not(line, earlier)
    if refused := _refused(line, entries, today):
        return Answer(Result.REJECTED, *refused)
    if not reviewed and _is_absurd(line, entries):
        return REVIEW
    if line.kind is LineKind.REVERSAL and line.reverses not in paid_by_reference(entries):
        return Answer(Result.ACCEPTED if _before_first(line, entries) else Result.PENDING)
    confirms = line.entry_kind is Kind.CASH_CONFIRMED and line.receipt_number in receipts
    return Answer(Result.CONFIRMED if confirms else Result.ACCEPTED)


def _is_absurd(line: Line, entries: Sequence[Entry]) -> bool:
    stated = max(abs(one.amount_minor) for one in entries if one.kind is Kind.STATEMENT)
    return abs(line.amount_minor) > ABSURD_FACTOR * stated


def _same_or_not(line: Line, earlier: Entry) -> Answer:
    """The same again is a repetition, also where the lender adds or leaves out the book day or the receipt."""
    said = (line.signed_minor, line.value_date, _family(line.entry_kind), line.reverses)
    if said == (earlier.amount_minor, earlier.value_date, _family(earlier.kind), earlier.refers_to):
        return Answer(Result.DUPLICATE)
    message = "`reference` was used for another line of this account: send this one under a reference of its own."
    return Answer(Result.REJECTED, "reference-reused", message)


def _family(kind: Kind) -> Kind:
    return Kind.PAYMENT if kind is Kind.CASH_CONFIRMED else kind


def _before_first(line: Line, entries: Sequence[Entry]) -> bool:
    first = min(one.through for one in entries if one.kind is Kind.STATEMENT)
    return (line.original_value_date or line.value_date) <= first


def _refused(line: Line, entries: Sequence[Entry], today: date) -> tuple[str, str] | None:
    if line.amount_minor == 0 or (line.amount_minor < 0 and line.kind is not LineKind.ADJUSTMENT):
        return "amount-not-positive", "`amount` must be more than 0. Report money that goes back as a REVERSAL."
    if line.value_date > today:
        return "date-in-future", "`received_on` must not be in the future: report the line on its day."
    if line.posted_on is not None and line.posted_on > today:
        return "date-in-future", "`posted_on` must not be in the future: report the line when it is booked."
    if (line.reverses is not None) != (line.kind is LineKind.REVERSAL):
        return "reverses-needed", "A REVERSAL names its payment's reference in `reverses`; no other kind does."
    if line.components is not None and sum(line.components.values()) != line.amount_minor:
        return "components-differ", "`components` must add up to `amount`."
    return _wrong_reversal(line, entries) if line.kind is LineKind.REVERSAL else None


def _wrong_reversal(line: Line, entries: Sequence[Entry]) -> tuple[str, str] | None:
    payment = paid_by_reference(entries).get(line.reverses or "")
    if payment is None:
        named = any(one.kind in MOVEMENTS and one.reference == line.reverses for one in entries)
        message = "`reverses` names a line that is no payment: name the payment's reference."
        return ("reversal-of-no-payment", message) if named else None
    if line.original_value_date not in (None, payment.value_date):
        return "original-day-differs", "`original_value_date` must be the payment's `received_on`."
    if line.amount_minor > left_of(payment, entries):
        return "reversal-too-large", "`amount` must not be more than what is left of the payment."
    return None
