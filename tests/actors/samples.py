"""What the people of the tests send: a lender's file and profile, a record of a visit. It is a Monday in Taipei."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

TAIPEI = ZoneInfo("Asia/Taipei")
MONDAY = date(2026, 3, 2)
DIGEST = "5a" * 32
AGENCY = {"reviewed_on": "2026-01-15", "listed": True}
PROFILE: dict[str, Any] = {
    "columns": {
        "account_ref": "account",
        "balance": "balance",
        "currency": "currency",
        "days_past_due": "days",
        "last_payment_on": "paid",
        "name": "name",
        "phone": "phone",
        "latitude": "lat",
        "longitude": "lon",
    },
    "currency": "TWD",
    "time_zone": "Asia/Taipei",
    "jurisdiction": "tw",
    "country": "TW",
    "product": "CREDIT_CARD",
    "notice": {"channel": "LETTER", "sent_at": "2026-02-10T10:00:00+08:00", "proof_digest": DIGEST},
}
HEADER = "account,balance,currency,days,paid,name,phone,lat,lon"


def at(day: date, hour: int, minute: int = 0) -> str:
    """A time in Taipei, as on the wire."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=TAIPEI).isoformat()


RECORD: dict[str, Any] = {
    "ended_at": at(MONDAY, 10),
    "disposition": "PROMISE_TO_PAY",
    "person_met": "DEBTOR",
    "willingness": 4,
    "ability": 3,
    "statement": "下週還一半。",
    "credentials_shown": True,
    "authority_shown": True,
    "evidence": [{"digest": DIGEST, "media_type": "video/mp4", "size_bytes": 1000}],
    "promise": {
        "instalments": [{"due_on": str(MONDAY + timedelta(days=7)), "amount": {"amount": "50000", "currency": "TWD"}}]
    },
}


def row(account: str, balance: object = 250_000, days: object = 60, **cells: str) -> str:
    """A line of a lender's file. Without changes its case is referred to the field at once: the balance is large."""
    known = {"currency": "TWD", "paid": "2026-01-15", "name": "王小明", "phone": "", "lat": "25.03", "lon": "121.56"}
    rest = known | cells
    return ",".join([account, str(balance), rest.pop("currency"), str(days), *rest.values()])


def file_of(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def profile(**changes: Any) -> dict[str, Any]:
    """PROFILE with changes; a field that is None is left out."""
    return {name: value for name, value in (PROFILE | changes).items() if value is not None}
