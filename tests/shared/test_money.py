from decimal import Decimal

import pytest

from shared.money import Money, NotMoney, plain


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e40", "12.345", "", "abc", "１２x"])
def test_what_is_not_money_says_why(text):
    with pytest.raises(NotMoney):
        Money.parse(text, "TWD")


def test_an_unknown_currency_is_refused():
    with pytest.raises(NotMoney, match="not known here"):
        Money.parse("1", "XXX")


def test_minor_units_come_back_exactly():
    money = Money.parse("1250.05", "TWD")
    assert money.minor == 125005
    assert Money.of_minor(money.minor, "TWD") == money


def test_two_currencies_do_not_add():
    with pytest.raises(NotMoney):
        Money.parse("1", "TWD") + Money.parse("1", "USD")


@pytest.mark.parametrize(("amount", "text"), [("3913.00", "3913"), ("12.5", "12.5"), ("12.50", "12.50"), ("-3", "-3")])
def test_amounts_on_the_wire_have_no_exponent(amount, text):
    assert plain(Decimal(amount)) == text
