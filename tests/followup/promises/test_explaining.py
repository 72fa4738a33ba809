"""A promise explains itself: each reason for which money does not count, and what would keep the promise."""

from dataclasses import replace

import pytest

from services.followup.promises.domain import PromiseStatus
from services.followup.promises.explaining import Known, Uncounted, sentences, uncounted
from services.followup.promises.replay import replay
from tests.followup.promises.test_replay import A, B, end_of, money, promise

ONE = promise(1, 2, (10, 100), (20, 100))


def known(one, *payments, now=None, others=(), back=()):
    """A promise as the replay leaves it, with its case's payments."""
    taken = dict(back)
    net = [replace(payment, amount=payment.amount - taken.get(payment.id, 0)) for payment in payments]
    stands = replay([one, *others], net, [], now or end_of(5))
    mine = stands[one.id]
    here, elsewhere = (
        {part.payment_id: part.amount for stand in stands.values() if (stand is mine) == who for part in stand.applied}
        for who in (True, False)
    )
    return Known(one, mine.status, mine.paid, mine.ended_on, mine.by_balance, payments, here, elsewhere, taken)


ACCOUNT = promise(1, 2, (10, 100), accounts=frozenset({A}))
CASH = promise(1, 2, (10, 100), visit_id=A)
REASONS = [
    (Uncounted.OTHER_CURRENCY, known(ONE, money(1, 3, 100, currency="HKD"))),
    (Uncounted.OTHER_ACCOUNT, known(ACCOUNT, money(1, 3, 100, account_id=B))),
    (Uncounted.BEFORE_PROMISE, known(ONE, money(1, 1, 100))),
    (Uncounted.AFTER_END, known(ONE, money(1, 13, 100), now=end_of(30))),
    (Uncounted.CASH_OF_VISIT, known(CASH, money(1, 2, 100, visit_id=A))),
    (Uncounted.MORE_THAN_PROMISED, known(ONE, money(1, 3, 201))),
    (Uncounted.TAKEN_BACK, known(ONE, money(1, 3, 100), back=[(money(1, 3, 100).id, 40)])),
    (Uncounted.OTHER_PROMISE, known(ONE, money(1, 6, 50), others=[promise(2, 5, (30, 100))], now=end_of(9))),
]


@pytest.mark.parametrize(("reason", "case"), REASONS, ids=lambda value: value if isinstance(value, str) else "")
def test_money_that_did_not_count_has_its_reason(reason, case):
    [left] = uncounted(case)
    assert left.reason is reason
    assert sum(case.applied.values()) + sum(case.elsewhere.values()) + left.amount >= left.payment.amount
    en, zh = zip(*sentences(case), strict=True)
    assert sum("did not count" in sentence for sentence in en) == sum("未計入" in sentence for sentence in zh) == 1


def test_all_reasons_are_tried():
    assert {reason for reason, _ in REASONS} == set(Uncounted)


@pytest.mark.parametrize(
    ("paid", "said"),
    [
        (0, ["It is judged at the end of 2026-03-12 (Asia/Taipei).", "TWD 0.95 more until then keeps it on its way."]),
        (94, ["It is judged at the end of 2026-03-12 (Asia/Taipei).", "TWD 0.01 more until then keeps it on its way."]),
        (95, ["It is judged at the end of 2026-03-22 (Asia/Taipei).", "TWD 0.95 more until then keeps it on its way."]),
        (190, ["It is judged at the end of 2026-03-22 (Asia/Taipei).", "What has come keeps it then."]),
    ],
)
def test_it_says_when_it_is_judged_and_what_keeps_it(paid, said):
    came = [money(1, 3, paid)] if paid else []
    assert [en for en, _ in sentences(known(ONE, *came))][-2:] == said


def test_what_has_ended_says_when():
    case = known(ONE, money(1, 3, 20), now=end_of(30))
    assert case.status is PromiseStatus.PARTIALLY_KEPT
    said = [en for en, _ in sentences(case)]
    assert said == [
        "The promise is kept in part.", "Of TWD 2, TWD 0.20 has come.", "TWD 0.20 of 2026-03-03 counted.",
        "It ended on 2026-03-12.",
    ]  # fmt: skip
