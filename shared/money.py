"""Money. A Decimal with an ISO 4217 currency in code, a string on the wire, an integer of minor units in the database.

Amounts of two currencies are never added: the attempt raises.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

# ISO 4217 exponents of the currencies that we handle. TWD is written with two decimals by the standard,
# while lenders write whole dollars; the wire shows no decimals where there are none.
MINOR_DIGITS = {
    "TWD": 2, "CNY": 2, "HKD": 2, "USD": 2, "EUR": 2, "GBP": 2, "INR": 2, "SGD": 2, "AUD": 2, "CAD": 2,
    "JPY": 0, "KRW": 0, "VND": 0, "KWD": 3, "BHD": 3,
}  # fmt: skip

AMOUNT_MINOR_MAX = 10**15
"""The largest amount, in minor units (cents): of a row, a payment, or all that one case owes."""


class NotMoney(ValueError):
    """The text or number is not an amount of this currency; the message says why."""


class AmountTooLarge(NotMoney):
    """The amount has more than AMOUNT_MINOR_MAX minor units."""


class UnknownCurrency(NotMoney):
    """A code that we do not handle. The message does not repeat it: it may be a cell of a file."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in a currency. Exact: never a float."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str | int | Decimal, currency: str) -> "Money":
        """Read an amount such as "1250.00". Raises NotMoney for floats, too many decimals and NaN; AmountTooLarge above
        AMOUNT_MINOR_MAX."""
        digits = minor_digits(currency)
        if isinstance(text, float):
            raise NotMoney("an amount is written as a string, not as a floating-point number")
        try:
            amount = Decimal(text.strip() if isinstance(text, str) else text)
        except InvalidOperation:
            raise NotMoney("not a number") from None
        if not amount.is_finite():
            raise NotMoney("not a finite number")
        if amount.copy_abs() > AMOUNT_MINOR_MAX // 10**digits:  # abs() would overflow at 1E+1000000
            raise AmountTooLarge(f"larger than {AMOUNT_MINOR_MAX // 10**digits} {currency}")
        if amount != round(amount, digits):
            raise NotMoney(f"{currency} has at most {digits} decimals")
        return cls(amount, currency)

    @classmethod
    def of_minor(cls, minor: int, currency: str) -> "Money":
        return cls(Decimal(minor).scaleb(-minor_digits(currency)), currency)

    @property
    def minor(self) -> int:
        """The amount as an integer of minor units (cents)."""
        return int(self.amount.scaleb(minor_digits(self.currency)))

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def _same(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise NotMoney(f"{self.currency} and {other.currency} do not add")
        return other.amount

    def __str__(self) -> str:
        return plain(self.amount)


def plain(amount: Decimal) -> str:
    """The amount as on the wire: no exponent, and no decimals where they are all zero ("3913", "12.50")."""
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{amount:f}"


def minor_digits(currency: str) -> int:
    """Decimals of a currency. Raises UnknownCurrency for a code that we do not handle."""
    try:
        return MINOR_DIGITS[currency]
    except KeyError:
        raise UnknownCurrency("in a currency that is not known here: use an ISO 4217 code such as TWD") from None
