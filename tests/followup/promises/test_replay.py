"""Promises as they are replayed: stories first, then what holds for every history."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.followup.lenders.domain import GraceIn
from services.followup.promises.domain import Closing, Ending, Money, Promise, PromiseStatus, least_kept
from services.followup.promises.replay import judged_at, local_day, replay
from services.followup.promises.terms import Place, Terms, counts_until, dues
from shared.instalments import OnMissed

TAIPEI, NOWHERE = Place("TW"), Place(None)
A, B = UUID(int=101), UUID(int=102)
LONG_AFTER = datetime(2026, 12, 31, tzinfo=UTC)
MARCH = date(2026, 3, 2)
K, P, BR, ACT, SUP, CAN = (
    PromiseStatus[name] for name in ("KEPT", "PARTIALLY_KEPT", "BROKEN", "ACTIVE", "SUPERSEDED", "CANCELLED")
)


def day(number: int) -> date:
    """A day of March 2026; 2 March is a Monday."""
    return date(2026, 3, 1) + timedelta(days=number - 1)


def promise(number: int, made: int, *parts: tuple[int, int], grace: int = 2, place=NOWHERE, **changes) -> Promise:
    terms = {name: changes.pop(name) for name in list(changes) if name in Terms.__slots__}
    made_on = day(made)
    return Promise(
        id=UUID(int=number),
        made_at=changes.pop("made_at", datetime(made_on.year, made_on.month, made_on.day, 2, tzinfo=UTC)),
        made_on=made_on,
        currency=changes.pop("currency", "TWD"),
        dues=dues([(day(on), amount) for on, amount in parts], made_on, grace, GraceIn.CALENDAR, place),
        terms=Terms(**{"time_zone": "Asia/Taipei", "tolerance": Decimal("0.95")} | terms),
        **changes,
    )


def money(number: int, on: int, amount: int, **more) -> Money:
    return Money(UUID(int=1000 + number), day(on), more.pop("currency", "TWD"), amount, **more)


def end_of(number: int, zone_hours: int = 8) -> datetime:
    """The first moment after a day of Taipei."""
    after = day(number + 1)
    return datetime(after.year, after.month, after.day, tzinfo=UTC) - timedelta(hours=zone_hours)


def standing(one: Promise, *payments: Money, closings=(), now=LONG_AFTER, others=()):
    return replay([one, *others], payments, closings, now)[one.id]


THREE = ((10, 10_000), (20, 10_000), (30, 10_000))
# What it is · the promise · the money · how it ends, how much was paid, which instalments were missed.
STORIES = [
    ("nothing comes", promise(1, 2, (10, 100)), [], BR, 0, [0]),
    ("all comes on the due day", promise(1, 2, (10, 100)), [money(1, 10, 100)], K, 100, []),
    ("its days were over when it was made", promise(1, 20, (10, 100)), [], BR, 0, [0]),
    ("all comes on the day of the promise", promise(1, 2, (10, 100)), [money(1, 2, 100)], K, 100, []),
    ("all comes the day before the promise", promise(1, 2, (10, 100)), [money(1, 1, 100)], BR, 0, [0]),
    ("all comes on the last day of grace", promise(1, 2, (10, 100)), [money(1, 12, 100)], K, 100, []),
    ("all comes the day after grace", promise(1, 2, (10, 100)), [money(1, 13, 100)], BR, 0, [0]),
    ("the tolerance comes", promise(1, 2, (10, 100)), [money(1, 10, 95)], K, 95, []),
    ("one less than the tolerance comes", promise(1, 2, (10, 100)), [money(1, 10, 94)], P, 94, [0]),
    (
        "an amount may lack",
        promise(1, 2, (10, 100), tolerance=Decimal(1), tolerance_amount=30),
        [money(1, 10, 70)],
        K,
        70,
        [],
    ),
    ("more than all comes", promise(1, 2, (10, 100)), [money(1, 10, 300)], K, 100, []),
    (
        "three at the tolerance",
        promise(1, 2, *THREE),
        [money(n, on, 9_500) for n, (on, _) in enumerate(THREE)],
        K,
        28_500,
        [],
    ),
    ("a part of the first of three", promise(1, 2, *THREE), [money(1, 5, 500)], P, 500, [0]),
    ("the first of three by more than its part", promise(1, 2, *THREE), [money(1, 5, 20_000)], P, 20_000, [2]),
    ("the second is missed", promise(1, 2, *THREE), [money(1, 5, 10_000)], P, 10_000, [1]),
    (
        "missed, and the terms go on",
        promise(1, 2, *THREE, on_missed=OnMissed.CONTINUE),
        [money(1, 25, 30_000)],
        K,
        30_000,
        [0, 1],
    ),
    ("missed to the end", promise(1, 2, *THREE, on_missed=OnMissed.CONTINUE), [money(1, 25, 100)], P, 100, [0, 1, 2]),
    ("nothing at all, and the terms go on", promise(1, 2, *THREE, on_missed=OnMissed.CONTINUE), [], BR, 0, [0, 1, 2]),
    (
        "one dollar on the first of twelve",
        promise(1, 2, *((10 + 30 * n, 1_000) for n in range(12))),
        [money(1, 9, 1)],
        P,
        1,
        [0],
    ),
    ("money of another currency", promise(1, 2, (10, 100)), [money(1, 10, 100, currency="HKD")], BR, 0, [0]),
    (
        "money on another account",
        promise(1, 2, (10, 100), accounts=frozenset({A})),
        [money(1, 10, 100, account_id=B)],
        BR,
        0,
        [0],
    ),
    (
        "money on its account",
        promise(1, 2, (10, 100), accounts=frozenset({A})),
        [money(1, 10, 100, account_id=A)],
        K,
        100,
        [],
    ),
    ("money on one account of the case", promise(1, 2, (10, 100)), [money(1, 10, 100, account_id=B)], K, 100, []),
    ("cash of the visit", promise(1, 2, (10, 100), visit_id=A), [money(1, 2, 100, visit_id=A)], BR, 0, [0]),
    (
        "cash of the visit, a down payment",
        promise(1, 2, (10, 100), visit_id=A, down_payment=True),
        [money(1, 2, 100, visit_id=A)],
        K,
        100,
        [],
    ),
    ("cash of another visit", promise(1, 2, (10, 100), visit_id=A), [money(1, 9, 100, visit_id=B)], K, 100, []),
    ("a promise without grace", promise(1, 2, (10, 100), grace=0), [money(1, 11, 100)], BR, 0, [0]),
    ("a due day that was yesterday", promise(1, 11, (10, 100)), [money(1, 12, 100)], K, 100, []),
    ("two parts of one day", promise(1, 2, (10, 50), (10, 50)), [money(1, 10, 50)], P, 50, [1]),
    ("taken back", promise(1, 2, (10, 100), cancelled_on=day(5)), [money(1, 10, 100)], CAN, 0, []),
    ("taken back after it was kept", promise(1, 2, (10, 100), cancelled_on=day(9)), [money(1, 8, 100)], K, 100, []),
    (
        "twelve of one unit, all but one at once",
        promise(1, 2, *((10 + n, 1) for n in range(12))),
        [money(1, 9, 11)],
        P,
        11,
        [11],
    ),
    (
        "an eleventh of twelve is missed by little",
        promise(1, 2, *((10 + n, 100) for n in range(12))),
        [money(1, 9, 1_140)],
        K,
        1_140,
        [],
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story[0].replace(" ", "-"))
def test_how_a_promise_ends(story):
    _, one, payments, status, paid, missed = story
    for order in permutations(payments) if len(payments) < 4 else [payments]:
        ended = standing(one, *order)
        assert (ended.status, ended.total_paid, [miss.instalment for miss in ended.missed]) == (status, paid, missed)


def test_a_promise_is_judged_at_the_end_of_its_last_day_and_not_before():
    one = promise(1, 2, (10, 100))
    before = end_of(12) - timedelta(seconds=1)
    assert standing(one, now=before).status is ACT
    assert judged_at(standing(one, now=before), before) == end_of(12)
    assert standing(one, now=end_of(12)).status is BR


@pytest.mark.parametrize(
    ("place", "due", "grace", "grace_in", "until"),
    [
        # The lunar new year of 2026 in Taiwan: 14 to 22 February.
        (TAIPEI, date(2026, 2, 16), 2, GraceIn.CALENDAR, date(2026, 2, 25)),
        (TAIPEI, date(2026, 2, 16), 2, GraceIn.WORKING, date(2026, 2, 25)),
        (TAIPEI, date(2026, 3, 7), 0, GraceIn.CALENDAR, date(2026, 3, 9)),  # a Saturday
        (Place("CN"), date(2026, 3, 7), 0, GraceIn.CALENDAR, date(2026, 3, 9)),
        (Place("CN"), date(2026, 2, 14), 0, GraceIn.CALENDAR, date(2026, 2, 14)),  # a Saturday that is worked
        (Place("GB", "ENG"), date(2026, 3, 7), 0, GraceIn.CALENDAR, date(2026, 3, 7)),  # no such rule
        (Place("GB", "ENG"), date(2026, 3, 6), 2, GraceIn.WORKING, date(2026, 3, 10)),
        (TAIPEI, date(2024, 2, 28), 1, GraceIn.CALENDAR, date(2024, 3, 1)),  # 28 February is a holiday, 29 is not
        (NOWHERE, date(2026, 3, 7), 3, GraceIn.CALENDAR, date(2026, 3, 12)),
    ],
)
def test_until_when_money_counts(place, due, grace, grace_in, until):
    assert counts_until(due, grace, grace_in, place) == until


def test_a_newer_promise_takes_the_place_of_the_older_and_the_money_of_its_day():
    old, new = promise(1, 2, (20, 100)), promise(2, 5, (30, 100))
    stand = replay([new, old], [money(1, 4, 10), money(2, 5, 100)], [], LONG_AFTER)
    assert (stand[old.id].status, stand[old.id].total_paid, stand[old.id].superseded_by) == (SUP, 10, new.id)
    assert (stand[new.id].status, stand[new.id].total_paid) == (K, 100)


def test_of_two_promises_of_one_day_the_later_act_holds():
    first = promise(1, 5, (20, 100), made_at=datetime(2026, 3, 5, 9, tzinfo=UTC))
    second = promise(2, 5, (20, 50), made_at=datetime(2026, 3, 5, 3, tzinfo=UTC))
    stand = replay([first, second], [money(1, 6, 50)], [], LONG_AFTER)
    assert (stand[second.id].status, stand[first.id].status, stand[first.id].total_paid) == (SUP, P, 50)


def test_promises_about_other_accounts_live_side_by_side():
    one, other = promise(1, 2, (20, 100), accounts=frozenset({A})), promise(2, 5, (20, 100), accounts=frozenset({B}))
    stand = replay([one, other], [money(1, 6, 150, account_id=A), money(2, 6, 40, account_id=B)], [], LONG_AFTER)
    assert [(stand[p.id].status, stand[p.id].total_paid) for p in (one, other)] == [(K, 100), (P, 40)]


def test_of_two_promises_the_earlier_due_day_is_paid_first_and_the_other_takes_the_rest():
    far, near = promise(1, 2, (20, 100), accounts=frozenset({A})), promise(2, 2, (10, 100), accounts=frozenset({B}))
    stand = replay([near, far], [money(1, 5, 120)], [], LONG_AFTER)
    assert (stand[near.id].total_paid, stand[far.id].total_paid) == (100, 20)


def test_cash_with_a_new_promise_goes_to_neither():
    old, new = promise(1, 2, (20, 500)), promise(2, 5, (30, 900), visit_id=A)
    stand = replay([old, new], [money(1, 5, 500, visit_id=A)], [], LONG_AFTER)
    assert [stand[one.id].total_paid for one in (old, new)] == [0, 0]


@pytest.mark.parametrize(
    ("closings", "status", "by_balance"),
    [
        ([Closing(day(9), Ending.PAID)], K, True),
        ([Closing(day(12), Ending.PAID)], K, True),
        ([Closing(day(13), Ending.PAID)], BR, False),
        ([Closing(day(9), Ending.RECALLED)], CAN, False),
        ([Closing(day(9), Ending.PAID, A)], BR, False),
        ([Closing(day(9), Ending.PAID, A), Closing(day(10), Ending.PAID, B)], K, True),
        ([Closing(day(9), Ending.PAID, A), Closing(day(10), Ending.RECALLED, B)], CAN, False),
        ([Closing(day(1), Ending.PAID)], BR, False),
        ([Closing(day(1), Ending.RECALLED)], CAN, False),
        ([Closing(day(1), Ending.RECALLED, A), Closing(day(1), Ending.RECALLED, B)], BR, False),
        ([Closing(day(9), Ending.RECALLED, A), Closing(day(9), Ending.PAID)], CAN, False),
        ([Closing(day(9), Ending.PAID), Closing(day(9), Ending.RECALLED, A)], K, True),
        ([Closing(day(9), Ending.PAID), Closing(day(9), Ending.RECALLED)], K, True),
    ],
)
def test_accounts_that_leave_end_the_promise(closings, status, by_balance):
    one = promise(1, 2, (10, 100), accounts=frozenset({A, B}))
    ended = standing(one, closings=closings)
    assert (ended.status, ended.by_balance) == (status, by_balance)


def test_a_reversal_of_what_kept_it_is_as_if_the_money_had_not_come():
    one, paid = promise(1, 2, (10, 100)), money(1, 10, 100)
    assert standing(one, paid).status is K
    assert standing(one, replace(paid, amount=0)).status is BR
    assert standing(one, replace(paid, amount=94)).status is P


@pytest.mark.parametrize(
    "zone", ["Asia/Taipei", "America/Los_Angeles", "Pacific/Apia", "Europe/London", "America/Havana"]
)
def test_the_end_of_the_day_is_the_debtors(zone):
    one = promise(1, 2, (10, 100), time_zone=zone)
    ends = judged_at(standing(one, now=datetime(2026, 3, 3, tzinfo=UTC)), datetime(2026, 3, 3, tzinfo=UTC))
    assert standing(one, now=ends - timedelta(seconds=1)).status is ACT
    assert standing(one, now=ends).status is BR


amounts = st.integers(1, 10**6)
days = st.integers(1, 60)


@st.composite
def promises(draw) -> list[Promise]:
    accounts = st.sampled_from([frozenset(), frozenset({A}), frozenset({B}), frozenset({A, B})])
    made = draw(
        st.lists(
            st.tuples(
                days,
                st.lists(st.tuples(st.integers(0, 40), amounts), min_size=1, max_size=4),
                accounts,
                st.sampled_from(OnMissed),
            ),
            max_size=4,
        )
    )
    return [
        promise(number, on, *sorted((on + wait, amount) for wait, amount in parts), accounts=which, on_missed=missed)
        for number, (on, parts, which, missed) in enumerate(made)
    ]


payments = st.lists(st.tuples(days, amounts, st.sampled_from([None, A, B])), max_size=8).map(
    lambda drawn: [money(number, on, amount, account_id=account) for number, (on, amount, account) in enumerate(drawn)]
)
moments = days.map(end_of)


def shown(stand):
    return {
        key: (one.status, one.paid, sorted(one.applied, key=repr), one.missed, one.ended_on, one.superseded_by)
        for key, one in stand.items()
    }


@given(promises(), payments, moments, st.randoms())
def test_the_order_of_arrival_changes_nothing(made, came, now, random):
    before = shown(replay(made, came, [], now))
    random.shuffle(made)
    random.shuffle(came)
    assert shown(replay(made, came, [], now)) == before


@given(promises(), payments, moments)
def test_money_is_never_made_nor_lost(made, came, now):
    stand = replay(made, came, [], now)
    for payment in came:
        assert (
            sum(a.amount for one in stand.values() for a in one.applied if a.payment_id == payment.id) <= payment.amount
        )
    for one in stand.values():
        assert one.total_paid == sum(a.amount for a in one.applied) <= one.promise.promised
        assert all(0 <= paid <= due.amount for paid, due in zip(one.paid, one.promise.dues, strict=True))


@given(promises(), payments, moments)
def test_nothing_is_kept_below_the_tolerance_nor_ended_before_its_grace(made, came, now):
    for one in replay(made, came, [], now).values():
        if one.status is K:
            assert one.total_paid >= least_kept(one.promise.promised, one.promise.terms)
        if one.status in (P, BR):
            assert one.missed
            assert one.ended_on in {due.counts_until for due in one.promise.dues}
            assert (one.status is P) == (one.total_paid > 0)
        for miss in one.missed:
            assert now >= end_of((miss.on - day(1)).days + 1)


RANK = {BR: 0, P: 1, ACT: 2, K: 3}


@given(
    days,
    st.lists(st.tuples(st.integers(0, 40), amounts), min_size=1, max_size=4),
    st.sampled_from(OnMissed),
    payments,
    st.data(),
    moments,
)
def test_more_or_earlier_money_never_hurts(on, parts, missed, came, data, now):
    one = promise(1, on, *sorted((on + wait, amount) for wait, amount in parts), on_missed=missed)
    before = RANK[standing(one, *came, now=now).status]
    extra = money(99, data.draw(days), data.draw(amounts))
    assert RANK[standing(one, *came, extra, now=now).status] >= before
    if came and (moved := data.draw(st.sampled_from(came))).received_on > one.made_on:
        earlier = replace(moved, received_on=one.made_on)
        rest = [payment for payment in came if payment is not moved]
        assert RANK[standing(one, *rest, earlier, now=now).status] >= before


@given(promises(), payments, moments, moments)
def test_later_looks_do_not_change_what_has_ended(made, came, first, second):
    """Of the facts that are known at the first look: what has ended stays so, with its money and what was missed."""
    early, late = sorted((first, second))
    today = local_day(early, "Asia/Taipei")
    made = [one for one in made if one.made_on < today]
    came = [payment for payment in came if payment.received_on < today]
    before, after = (replay(made, came, [], now) for now in (early, late))
    for key, one in before.items():
        if one.status is not ACT:
            assert (after[key].status, after[key].paid, after[key].missed) == (one.status, one.paid, one.missed)
