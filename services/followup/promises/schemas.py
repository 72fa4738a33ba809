"""Bodies and replies about promises."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.followup.promises.domain import PhonePromise, PromiseStatus
from services.followup.promises.explaining import Uncounted
from shared.bodies import AmountBody, Body, Digest
from shared.errors import Invalid
from shared.events.values import Amount
from shared.instalments import ACCOUNTS_MAX, INSTALMENTS_MAX, Every, OnMissed, Part, schedule
from shared.law import StatedDay, StatedMoment
from shared.money import NotMoney


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
    grace_in: str
    tolerance: str
    on_missed: str
    account_ids: list[UUID]
    recording_consented: bool | None
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
    """The promise in words, sentence by sentence: its state, which money counted, when it is judged, what keeps
    it."""

    en: list[str]
    zh: list[str]


class PromiseDetailView(PromiseView):
    """`payments` counted, `uncounted` did not: the newest 200 of the case."""

    payments: list[AppliedView]
    uncounted: list[UncountedView]
    explanation: ExplanationView


class OldJudgementView(BaseModel):
    """A promise that an earlier release judged: `status` and `paid` as it did, and as they would be by the rules of
    today; `explanation` says what these rules count, and why."""

    promise_id: UUID
    case_id: UUID
    lender_id: str | None
    status: PromiseStatus
    paid: Amount
    would_be: PromiseStatus
    would_have_paid: Amount
    explanation: ExplanationView


class InstalmentBody(Body):
    due_on: StatedDay
    amount: AmountBody


class ScheduleBody(Body):
    """An arrangement in equal parts; the last takes the rest. Monthly from 31 January: 28 February, 31 March."""

    first_due_on: StatedDay
    every: Every
    total: AmountBody
    parts: Annotated[int, Field(ge=1, le=INSTALMENTS_MAX)]


class RecordingBody(Body):
    """Whether the debtor agreed that the call is recorded. The SHA-256 of the recording stands only where it did."""

    consented: bool
    digest: Digest | None = None

    @model_validator(mode="after")
    def _nothing_without_consent(self) -> Self:
        if self.digest is not None and not self.consented:
            raise ValueError("without the debtor's consent there is no recording: leave `digest` out")
        return self


class MakePromiseBody(Body):
    """A promise that was made by phone, at `at` (now by default). Say `instalments`, or a `schedule` that makes them.
    `account_ids`: what it is about, all of the case by default."""

    case_id: UUID
    instalments: Annotated[list[InstalmentBody] | None, Field(min_length=1, max_length=INSTALMENTS_MAX)] = None
    schedule: ScheduleBody | None = None
    account_ids: Annotated[list[UUID], Field(max_length=ACCOUNTS_MAX)] = []
    on_missed: OnMissed | None = None
    at: StatedMoment | None = None
    recording: RecordingBody

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.instalments is None) == (self.schedule is None):
            raise ValueError("say either `instalments` or `schedule`")
        return self

    def command(self) -> PhonePromise:
        """Raises Invalid for an amount that is none."""
        try:
            parts = self._parts()
        except NotMoney as error:
            raise Invalid("promise", f"The amount is {error}.") from None
        return PhonePromise(
            case_id=self.case_id,
            parts=parts,
            account_ids=self.account_ids,
            on_missed=self.on_missed,
            at=self.at,
            recording_consented=self.recording.consented,
            proof_digest=self.recording.digest,
        )

    def _parts(self) -> list[Part]:
        if self.schedule is not None:
            wish = self.schedule
            return schedule(wish.first_due_on, wish.every, wish.total.money, wish.parts)
        return [Part(item.due_on, item.amount.money) for item in self.instalments or ()]


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
