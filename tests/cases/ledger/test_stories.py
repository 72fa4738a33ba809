"""The stories of the books: each says what an account owes after what the lender and the collectors reported."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.cases.ledger.domain.differences import Cause, Terms, differences
from services.cases.ledger.domain.entries import Entry, Kind, one_currency
from services.cases.ledger.domain.life import State
from services.cases.ledger.domain.standing import account_standings, case_standing
from shared.money import Money
from tests.cases.ledger.entries import (
    ACCOUNT,
    OTHER,
    asked,
    balance,
    cash,
    entry,
    march,
    payment,
    reversal,
    standing,
    statement,
)

APRIL_2, APRIL_30 = march(33), march(61)


def listed(*entries: Entry, today: date = APRIL_2) -> list[tuple[Cause, int, tuple[str, ...]]]:
    found = differences({ACCOUNT: entries}, today, Terms(country="TW"))
    return [(each.cause, each.amount_minor, each.references) for each in found]


def test_1_a_payment_that_the_next_file_contains_counts_once():
    first, paid = statement(1000, march(1)), payment(400, march(10))
    assert balance(first, paid) == 600
    assert balance(first, paid, statement(600, march(31))) == 600


def test_2_a_line_that_comes_after_the_file_that_contains_it_changes_nothing():
    first, second = statement(1000, march(1)), statement(600, march(31))
    assert balance(first, second) == 600
    assert listed(first, second) == [(Cause.PAYMENT_MISSING, -400, ())]
    late = payment(400, march(10))
    assert balance(first, second, late) == 600
    assert listed(first, second, late) == []


def test_3_the_book_day_decides_not_the_value_date():
    paid = payment(400, march(30), posted_on=march(32))
    assert balance(paid, statement(1000, march(31))) == 600


def test_4_cash_counts_until_its_line_does():
    taken, file = cash(500, march(30)), statement(1000, march(31))
    assert balance(taken, file) == 500
    confirmed = payment(500, march(30), receipt_number="C-1", posted_on=march(33), assumed=True)
    assert balance(taken, file, confirmed) == 500
    assert balance(taken, file, confirmed, statement(500, APRIL_30)) == 500
    assert asked(taken, file, confirmed, statement(500, APRIL_30)) == 500


def test_5_a_claim_that_the_lender_confirms_later():
    paid = payment(400, march(29), posted_on=march(41))
    assert balance(statement(1000, march(31)), paid) == 600


def test_6_a_returned_cheque_raises_the_balance_again():
    file, paid = statement(1000, march(1)), payment(400, march(10))
    back = reversal(400, march(20), value=march(10))
    assert balance(file, paid) == 600
    assert balance(file, paid, back) == 1000
    assert balance(file, paid, statement(600, march(15)), back) == 1000


def test_7_posted_at_once_and_valued_the_next_working_day():
    paid = payment(400, march(32), posted_on=march(31))
    assert balance(paid, statement(600, march(31))) == 600


@pytest.mark.parametrize(("kind", "amount", "owed"), [(Kind.CHARGE, 100, 1100), (Kind.WAIVER, -100, 900)])
def test_8_a_charge_or_waiver_valued_back_and_posted_after_the_file_counts(kind, amount, owed):
    line = entry(kind, amount, march(1), posted_on=march(32), reference="F-1")
    assert balance(statement(1000, march(31)), line) == owed


def test_9_a_file_that_may_contain_the_cash_closes_nothing():
    entries = statement(1000, march(1)), cash(500, march(30)), statement(500, march(31))
    assert balance(*entries) == 0
    assert listed(*entries) == [(Cause.CASH_MAYBE_CONTAINED, -500, ("C-1",))]
    confirmed = payment(500, march(30), receipt_number="C-1", posted_on=march(31))
    assert (balance(*entries, confirmed), listed(*entries, confirmed)) == (500, [])


def test_10_cash_that_was_booked_without_our_receipt_number_is_mended_by_a_match():
    entries = statement(1000, march(1)), cash(500, march(2)), payment(500, march(3))
    assert balance(*entries) == 0
    assert listed(*entries) == [(Cause.CASH_UNCONFIRMED, 500, ("C-1",))]
    match = entry(Kind.MATCH, 0, march(20), refers_to="P-1", receipt_number="C-1", reference="S-1")
    assert (balance(*entries, match), listed(*entries, match)) == (500, [])


def test_11_another_amount_is_taken_and_listed():
    entries = statement(1000, march(1)), cash(500, march(2)), payment(480, march(2), receipt_number="C-1")
    assert balance(*entries) == 520
    assert listed(*entries) == [(Cause.CASH_DIFFERENCE, 20, ("C-1",))]


def test_12_days_past_due_follow_the_newest_file_downwards():
    old, new = statement(1000, march(1), days=90), statement(900, march(31), days=10)
    assert standing(old, today=march(11)).days_past_due == 100
    assert standing(old, new, today=march(31)).days_past_due == 10
    assert standing(old, new, today=march(33)).days_past_due == 12
    assert standing(old, payment(1000, march(5)), today=march(33)).days_past_due == 0


def test_13_what_one_account_is_overpaid_never_lowers_another():
    accounts = {
        ACCOUNT: [statement(500, march(1)), payment(800, march(2))],
        OTHER: [statement(900, march(1), account_id=OTHER)],
    }
    case = case_standing(account_standings(accounts, march(3)).values())
    assert (case.owed_minor, case.overpaid_minor, case.open_accounts) == (900, 300, 2)
    del accounts[OTHER]
    case = case_standing(account_standings(accounts, march(3)).values())
    assert (case.owed_minor, case.overpaid_minor) == (0, 300)


def test_14_of_two_statements_of_a_day_the_lower_counts_and_both_are_listed():
    one, two = statement(1000, march(31)), statement(900, march(31))
    assert balance(one, two) == balance(two, one) == 900
    assert listed(one, two) == [(Cause.STATEMENT_CONFLICT, 100, ())]
    corrected = statement(1100, march(31), issue=1)
    assert (balance(one, two, corrected), listed(one, two, corrected)) == (1100, [])


@pytest.mark.parametrize("turned", [False, True])
def test_15_a_row_with_balance_0_closes_in_either_order(turned):
    entries = [statement(1000, march(1)), statement(0, march(31))]
    found = standing(*(reversed(entries) if turned else entries))
    assert (found.life.state, found.position.balance_minor) == (State.PAID_AT_LENDER, 0)


@pytest.mark.parametrize(("currency", "text"), [("JPY", "1250"), ("KRW", "1250"), ("KWD", "1.250"), ("TWD", "12.50")])
def test_16_currencies_have_digits_of_their_own_and_never_mix(currency, text):
    own = statement(1250, march(1), currency=currency)
    assert str(Money.of_minor(balance(own), currency)) == text
    with pytest.raises(ValueError, match="one currency"):
        balance(own, payment(1, march(2), currency="USD"))
    assert one_currency([own]) == currency


def test_a_line_with_an_assumed_book_day_near_the_file_counts_in_asked_only_where_it_lowers():
    file = statement(1000, march(10))
    before = payment(400, march(9), posted_on=march(9), assumed=True)
    assert (balance(file, before), asked(file, before)) == (1000, 600)
    charge = entry(Kind.CHARGE, 50, march(11), reference="F-1", assumed=True)
    assert (balance(file, charge), asked(file, charge)) == (1050, 1000)
    far = payment(400, march(6), assumed=True)
    assert (balance(file, far), asked(file, far)) == (1000, 1000)
    assert standing(file, before).position.doubtful[0].entry is before


@pytest.mark.parametrize(("parts", "gone"), [((300,), 300), ((300, 300), 400), ((400, 1), 400)])
def test_a_reversal_takes_back_at_most_what_is_left_of_its_payment(parts, gone):
    backs = [reversal(part, march(20 + n), reference=f"R-{n}") for n, part in enumerate(parts)]
    entries = [statement(1000, march(1)), payment(400, march(10)), *backs]
    assert balance(*entries) == 600 + gone
    assert ((Cause.REVERSAL_TOO_LARGE, sum(parts) - 400, ("P-1",)) in listed(*entries)) == (sum(parts) > 400)


def test_a_reversal_before_its_payment_waits_unless_the_first_statement_contains_the_payment():
    file = statement(1000, march(5))
    early = reversal(400, march(20), value=march(10))
    assert balance(file, early) == 1000
    assert listed(file, early, today=APRIL_30) == []  # it is booked on 1 May
    assert listed(file, early, today=date(2026, 5, 4)) == [(Cause.REVERSAL_PENDING, 400, ("R-P-1",))]
    assert balance(file, early, payment(400, march(10))) == 1000
    assert balance(file, reversal(400, march(20), value=march(2))) == 1400


def test_a_settlement_sets_the_book_day_of_a_line():
    entries = [statement(1000, march(1)), payment(400, march(30)), statement(1000, march(31))]
    late = statement(600, march(34))
    assert [cause for cause, *_ in listed(*entries, late)] == [Cause.POSTING_DELAY_SUSPECTED] * 2
    assert listed(*entries, late)[0][2] == ("P-1",)
    posted = entry(Kind.POSTED, 0, march(32), refers_to="P-1", reference="S-1")
    assert listed(*entries, late, posted) == []
    assert balance(*entries, posted) == 600


@pytest.mark.parametrize(("gap", "cause"), [(3, None), (31, Cause.OTHER), (-5, Cause.PAYMENT_MISSING)])
def test_interest_within_the_profiles_rate_is_named(gap, cause):
    entries = [statement(1000, march(1)), statement(1000 + gap, march(31))]
    terms = Terms(accrual_per_day=Decimal("0.001"))
    [found] = differences({ACCOUNT: entries}, march(32), terms)
    assert found.cause is (cause or Cause.ACCRUAL)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ([(Kind.CLOSING, 10)], State.ABSENT),
        ([(Kind.CLOSING, 10), (Kind.RECALL, 10)], State.RECALLED),
        ([(Kind.RECALL, 10), (Kind.CLOSING, 12)], State.RECALLED),
        ([(Kind.RETURN, 10)], State.RETURNED),
        ([(Kind.RECALL, 10), (Kind.REOPENING, 11)], State.OPEN),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_life_of_an_account_follows_the_days_of_its_facts(facts, state, turned):
    entries = [statement(1000, march(1)), *(entry(kind, 0, march(day)) for kind, day in facts)]
    assert standing(*(reversed(entries) if turned else entries)).life.state is state


def test_a_late_older_row_reopens_nothing_and_a_later_one_does_within_the_term():
    closed = [statement(1000, march(1)), statement(0, march(20))]
    assert standing(*closed, statement(800, march(10))).life.state is State.PAID_AT_LENDER
    again = statement(700, march(25))
    assert standing(*closed, again).life.state is State.OPEN
    late = account_standings({ACCOUNT: [*closed, again]}, march(26), term_ends=march(22))[ACCOUNT]
    assert (late.life.state, late.life.too_late) == (State.PAID_AT_LENDER, (again,))
    paid = payment(400, march(10))
    assert standing(*closed, paid, reversal(400, march(22))).life.state is State.OPEN


def test_an_account_that_is_gone_is_not_asked_for():
    accounts = {
        ACCOUNT: [statement(500, march(1)), entry(Kind.RECALL, 0, march(3))],
        OTHER: [statement(900, march(1), days=5, account_id=OTHER)],
    }
    case = case_standing(account_standings(accounts, march(1)).values())
    assert (case.owed_minor, case.asked_minor, case.days_past_due, case.open_accounts) == (900, 900, 5, 1)


def test_cash_of_a_receipt_that_the_lender_books_on_one_account_counts_once():
    accounts = {
        ACCOUNT: [statement(300, march(1)), cash(300, march(2))],
        OTHER: [statement(900, march(1), account_id=OTHER), cash(200, march(2), account_id=OTHER)],
    }

    def owed() -> int:
        return case_standing(account_standings(accounts, march(3)).values()).owed_minor

    assert owed() == 700
    accounts[OTHER].append(payment(500, march(2), receipt_number="C-1", account_id=OTHER))
    assert owed() == 700
    accounts[OTHER][-1] = replace(accounts[OTHER][-1], amount_minor=-200)
    assert owed() == 700  # the other account's part is still to come
    voided = entry(Kind.CASH_VOIDED, 0, march(4), receipt_number="C-1")
    accounts[ACCOUNT].append(voided)
    assert owed() == 1000
