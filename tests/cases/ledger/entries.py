"""Entries in few words, for tests of the books: `statement(1000, day(31))`, `payment(400, day(30))`."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.cases.ledger.domain.entries import Entry, Kind
from services.cases.ledger.domain.standing import AccountStanding, account_standings

ACCOUNT, OTHER = UUID(int=1), UUID(int=2)
_numbers = count(10)


def march(number: int) -> date:
    """A day of March 2026; 32 is the first of April."""
    return date(2026, 3, 1) + timedelta(days=number - 1)


def entry(kind: Kind, amount: int, value: date, **more: Any) -> Entry:
    number = next(_numbers)
    facts: dict[str, Any] = {
        "id": UUID(int=number),
        "account_id": ACCOUNT,
        "seq": number,
        "currency": "TWD",
        "posted_on": value,
        "assumed": False,
        "booked_at": datetime(2026, 5, 1, tzinfo=UTC),
        "source": "test",
    }
    return Entry(kind=kind, amount_minor=amount, value_date=value, **facts | more)


def statement(amount: int, through: date, days: int = 60, **more: Any) -> Entry:
    return entry(Kind.STATEMENT, amount, through, days_past_due=days, **more)


def payment(amount: int, value: date, reference: str = "P-1", **more: Any) -> Entry:
    kind = Kind.CASH_CONFIRMED if "receipt_number" in more else Kind.PAYMENT
    return entry(kind, -amount, value, reference=reference, **more)


def reversal(amount: int, posted: date, of: str = "P-1", value: date | None = None, **more: Any) -> Entry:
    more = {"posted_on": posted, "reference": f"R-{of}", "refers_to": of, "original_value_date": value} | more
    return entry(Kind.REVERSAL, amount, value or posted, **more)


def cash(amount: int, value: date, receipt: str = "C-1", **more: Any) -> Entry:
    return entry(Kind.CASH, -amount, value, receipt_number=receipt, **more)


def standing(*entries: Entry, today: date = date(2026, 5, 1)) -> AccountStanding:
    """The one account that these entries are of."""
    return account_standings({ACCOUNT: entries}, today)[ACCOUNT]


def balance(*entries: Entry) -> int:
    return standing(*entries).position.balance_minor


def asked(*entries: Entry) -> int:
    return standing(*entries).position.asked_minor
