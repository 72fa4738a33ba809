"""The parts of a promise: which are valid, and how an arrangement spreads a sum over days. Pure."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shared.errors import Invalid
from shared.law.dates import months_after
from shared.money import Money

INSTALMENTS_MAX = 60
ACCOUNTS_MAX = 50
PROMISE_DAYS_MAX = 60 * 31
HALF_A_MONTH = 15


@dataclass(frozen=True, slots=True)
class Part:
    """So much until the end of a day, the debtor's."""

    due_on: date
    money: Money


class OnMissed(StrEnum):
    """What a missed instalment does to its promise: it ends, or it goes on and is judged at its last instalment."""

    END = "END"
    CONTINUE = "CONTINUE"


class Every(StrEnum):
    """How the due days of an arrangement follow each other."""

    WEEK = "WEEK"
    HALF_MONTH = "HALF_MONTH"
    MONTH = "MONTH"


def check_parts(parts: Sequence[Part], *, on: date, currency: str | None) -> None:
    """Raises Invalid unless the parts are valid: positive, in the currency of the case, on or after the day of the
    promise, in order."""
    days = [part.due_on for part in parts]
    if days != sorted(set(days)):
        raise Invalid("promise", "`instalments` must be in the order of their days, one a day.")
    if days[0] < on or (days[-1] - on).days > PROMISE_DAYS_MAX:
        raise Invalid("promise", f"`due_on` must be from the day of the promise to {PROMISE_DAYS_MAX} days later.")
    for part in parts:
        if part.money.currency != (currency or parts[0].money.currency):
            raise Invalid("promise", f"`currency` must be that of the case, {currency or 'one for all instalments'}.")
        if part.money.minor <= 0:
            raise Invalid("promise", "`amount` of an instalment must be more than 0.")


def schedule(first: date, every: Every, total: Money, parts: int) -> list[Part]:
    """Due days and amounts of an arrangement; equal parts, and the last takes the rest. Raises Invalid."""
    if parts < 1 or total.minor < parts:
        raise Invalid("promise-parts", "Each instalment must be at least one minor unit: name fewer instalments.")
    part = total.minor // parts
    amounts = [part] * (parts - 1) + [total.minor - part * (parts - 1)]
    money = [Money.of_minor(amount, total.currency) for amount in amounts]
    return [Part(_nth(first, every, number), amount) for number, amount in enumerate(money)]


def _nth(first: date, every: Every, number: int) -> date:
    if every is Every.WEEK:
        return first + timedelta(weeks=number)
    if every is Every.MONTH:
        return months_after(first, number)
    # Twice a month: on the first day's date, and on the date that is half a month from it.
    whole, half = divmod(number, 2)
    if not half:
        return months_after(first, whole)
    if first.day <= HALF_A_MONTH:
        start = months_after(first.replace(day=1), whole)
        return _day_of(start, first.day + HALF_A_MONTH)
    return months_after(first.replace(day=first.day - HALF_A_MONTH), whole + 1)


def _day_of(month: date, day: int) -> date:
    """A day of this month, or its last day where it is shorter."""
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))
