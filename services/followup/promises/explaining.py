"""A promise in words: which money counted, which did not and why, when it is judged, and what would keep it.

The one rule: each sentence follows from the same facts as the judgement, and says days and sums, never persons.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from services.followup.promises.domain import Money as Received
from services.followup.promises.domain import Promise, PromiseStatus, least_kept
from shared.money import Money


class Uncounted(StrEnum):
    """Why money did not count towards a promise."""

    TAKEN_BACK = "TAKEN_BACK"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    OTHER_ACCOUNT = "OTHER_ACCOUNT"
    BEFORE_PROMISE = "BEFORE_PROMISE"
    AFTER_END = "AFTER_END"
    CASH_OF_VISIT = "CASH_OF_VISIT"
    OTHER_PROMISE = "OTHER_PROMISE"
    MORE_THAN_PROMISED = "MORE_THAN_PROMISED"


REASONS = {
    Uncounted.TAKEN_BACK: ("it was taken back", "已撤回"),
    Uncounted.OTHER_CURRENCY: ("it is in another currency", "幣別不同"),
    Uncounted.OTHER_ACCOUNT: ("it was paid on another account", "繳付於其他帳戶"),
    Uncounted.BEFORE_PROMISE: ("it came before the promise was made", "早於承諾日"),
    Uncounted.AFTER_END: ("it came after the promise had ended", "承諾已結束後始入帳"),
    Uncounted.CASH_OF_VISIT: (
        "it is cash of the visit itself, and the terms do not name it",
        "訪視當場收取之現金，未列入約定",
    ),
    Uncounted.OTHER_PROMISE: ("it went to another promise", "已計入其他承諾"),
    Uncounted.MORE_THAN_PROMISED: ("it is more than was promised", "超過承諾金額"),
}
STANDS = {
    PromiseStatus.ACTIVE: ("The promise runs.", "承諾履行中。"),
    PromiseStatus.KEPT: ("The promise is kept.", "承諾已履行。"),
    PromiseStatus.PARTIALLY_KEPT: ("The promise is kept in part.", "承諾部分履行。"),
    PromiseStatus.BROKEN: ("The promise is broken.", "承諾未履行。"),
    PromiseStatus.SUPERSEDED: ("A newer promise took its place.", "已由新的承諾取代。"),
    PromiseStatus.CANCELLED: ("The promise was taken back.", "承諾已取消。"),
}


@dataclass(frozen=True, slots=True)
class Known:
    """A promise as it stands, and its case's payments. `applied` and `elsewhere`: how much of a payment went to this
    promise, and to others; `taken_back`: how much of it was reversed. `frozen`: judged by an earlier release."""

    promise: Promise
    status: PromiseStatus
    paid: Sequence[int]
    ended_on: date | None
    by_balance: bool
    payments: Sequence[Received]
    applied: Mapping[UUID, int]
    elsewhere: Mapping[UUID, int]
    taken_back: Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Left:
    """So much of a payment did not count, for this reason."""

    payment: Received
    amount: int
    reason: Uncounted


Sentence = tuple[str, str]


def uncounted(known: Known) -> Iterator[Left]:
    """Of each payment what did not count towards the promise, with the reasons."""
    for payment in known.payments:
        back = known.taken_back.get(payment.id, 0)
        other = known.elsewhere.get(payment.id, 0)
        left = payment.amount - back - other - known.applied.get(payment.id, 0)
        if back:
            yield Left(payment, back, Uncounted.TAKEN_BACK)
        if other:
            yield Left(payment, other, Uncounted.OTHER_PROMISE)
        if left > 0:
            yield Left(payment, left, _why(known, payment))


def _why(known: Known, payment: Received) -> Uncounted:
    promise = known.promise
    if payment.currency != promise.currency:
        return Uncounted.OTHER_CURRENCY
    if promise.terms.accounts and payment.account_id and payment.account_id not in promise.terms.accounts:
        return Uncounted.OTHER_ACCOUNT
    if payment.received_on < promise.made_on:
        return Uncounted.BEFORE_PROMISE
    if payment.visit_id and payment.visit_id == promise.visit_id and not promise.terms.down_payment:
        return Uncounted.CASH_OF_VISIT
    if known.status is not PromiseStatus.ACTIVE and sum(known.paid) < promise.promised:
        return Uncounted.AFTER_END
    return Uncounted.MORE_THAN_PROMISED


def sentences(known: Known) -> list[Sentence]:
    """The promise in English and Chinese, sentence by sentence."""
    return [*_standing(known), *_money(known), *_ahead(known)]


def _standing(known: Known) -> Iterator[Sentence]:
    yield STANDS[known.status]
    if known.by_balance:
        yield "Its accounts are paid in full by the lender's balance.", "依債權人餘額，相關帳戶已全數清償。"
    promised = _text(known.promise.promised, known.promise)
    paid = _text(sum(known.paid), known.promise)
    yield f"Of {promised}, {paid} has come.", f"承諾 {promised}，已付 {paid}。"


def _money(known: Known) -> Iterator[Sentence]:
    for payment in known.payments:
        if counted := known.applied.get(payment.id, 0):
            amount, on = _text(counted, payment), payment.received_on
            yield f"{amount} of {on} counted.", f"{on} 之 {amount} 已計入。"
    for left in uncounted(known):
        amount, on = _text(left.amount, left.payment), left.payment.received_on
        en, zh = REASONS[left.reason]
        yield f"{amount} of {on} did not count: {en}.", f"{on} 之 {amount} 未計入：{zh}。"


def _ahead(known: Known) -> Iterator[Sentence]:
    """When a promise that runs is judged next, and the least that keeps it then and at its end."""
    if known.status is not PromiseStatus.ACTIVE:
        if known.ended_on is not None:
            yield f"It ended on {known.ended_on}.", f"於 {known.ended_on} 結束。"
        return
    promise, paid, due = known.promise, sum(known.paid), 0
    zone = promise.terms.time_zone
    for number, item in enumerate(promise.dues):
        due += item.amount
        lacking = least_kept(due, promise.terms) - paid
        if lacking <= 0 and number < len(promise.dues) - 1:
            continue
        until = item.counts_until
        yield (
            f"It is judged at the end of {until} ({zone}).",
            f"將於 {until} 終了時（{zone}）判定。",
        )
        if lacking > 0:
            amount = _text(lacking, promise)
            yield f"{amount} more until then keeps it on its way.", f"屆時前再付 {amount}，即符合約定。"
        else:
            yield "What has come keeps it then.", "已付金額屆時即足以履行。"
        return


def _text(minor: int, of: Promise | Received) -> str:
    return f"{of.currency} {Money.of_minor(minor, of.currency)}"
