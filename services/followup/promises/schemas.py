"""Bodies and replies about promises."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from services.followup.promises.explaining import Uncounted
from shared.bodies import Body
from shared.events.values import Amount


class InstalmentView(BaseModel):
    """`counts_until`: the last day on which money for it is in time."""

    due_on: date
    counts_until: date
    amount: Amount
    paid: Amount


class PromiseView(BaseModel):
    """`check_at`: when an active promise is judged next, unless it is paid before. `judgement` counts how often it was
    judged: money that is reported late, or taken back, may change an earlier judgement."""

    id: UUID
    case_id: UUID
    visit_id: UUID | None
    status: str
    promised: Amount
    paid: Amount
    instalments: list[InstalmentView]
    made_on: date
    time_zone: str
    grace_days: int
    tolerance: str
    judgement: int
    check_at: datetime | None
    ended_at: datetime | None
    ended_on: date | None
    superseded_by: UUID | None


class AppliedView(BaseModel):
    """A payment, and how much of it went to this promise."""

    payment_id: UUID
    received_on: date
    amount: Amount
    applied: Amount


class UncountedView(BaseModel):
    """Money of the case that did not count towards this promise, and why: `reason` is a code, `en` and `zh` say it."""

    payment_id: UUID
    received_on: date
    amount: Amount
    reason: Uncounted
    en: str
    zh: str


class ExplanationView(BaseModel):
    """The promise in words, sentence by sentence: how it stands, which money counted, when it is judged, what keeps
    it."""

    en: list[str]
    zh: list[str]


class PromiseDetailView(PromiseView):
    """`payments` counted, `uncounted` did not: the newest 200 of the case."""

    payments: list[AppliedView]
    uncounted: list[UncountedView]
    explanation: ExplanationView


class CancelPromiseBody(Body):
    reason: Literal["AGREED_ANEW", "RECORDED_IN_ERROR", "LENDER_INSTRUCTION", "HARDSHIP"]


class PromiseCounts(BaseModel):
    """made = kept + partially_kept + broken + open + cancelled + superseded."""

    made: int
    kept: int
    partially_kept: int
    broken: int
    open: int
    cancelled: int
    superseded: int


class MoneyTotals(BaseModel):
    """received = applied_to_promises + unapplied; `received` is what came, less what was taken back. `promised` counts
    every promise that was made."""

    promised: str
    received: str
    applied_to_promises: str
    unapplied: str


class TotalsView(BaseModel):
    """`kept_ratio`: kept of matured promises, by count; `kept_ratio_by_amount`: by promised money, in each currency.
    Null, or no currency, before the first has matured."""

    promises: PromiseCounts
    money: dict[str, MoneyTotals]
    kept_ratio: str | None
    kept_ratio_by_amount: dict[str, str]
