"""Who the people of the demo are and what they do: collectors, addresses, debtors at the door. All of it is drawn from
an account's own reference, so that the same feed always gives the same story.
"""

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.cli.demo import acts

ZONE = ZoneInfo("Asia/Taipei")
FIRST_DAY = date(2026, 3, 2)
REQUIRED_CERTIFICATE = "FIELD-COLLECTION"


def chance(reference: str, about: str) -> float:
    """A number in [0, 1) that belongs to this account and this question for ever."""
    digest = hashlib.sha256(f"{about}/{reference}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def at(day: date, hour: int, minute: int = 0) -> str:
    return datetime.combine(day, time(hour, minute), ZONE).isoformat()


def new_collector(number: int, rank: int, *, certified: bool) -> dict[str, Any]:
    until = "2027-06-01" if certified else str(FIRST_DAY + timedelta(days=1))
    certificate = {"code": REQUIRED_CERTIFICATE, "valid_from": "2025-06-01", "valid_until": until}
    return {"name": f"Collector {number + 1}{'AB'[rank]}", "certificates": [certificate]}


def hazards(references: dict[str, str]) -> dict[str, bool]:
    """Of cases, given with their accounts' references, those whose address was checked, and whether it lies in a hazard
    zone: a few do, and a few were never looked at."""
    found = {case_id: chance(reference, "address") for case_id, reference in references.items()}
    return {case_id: drawn > 0.99 for case_id, drawn in found.items() if drawn >= 0.02}


def at_the_address(collector_id: str, dossier: dict[str, Any], arrived: datetime) -> dict[str, Any]:
    address = dossier["addresses"][0]
    return acts.arrival(collector_id, arrived.isoformat(), address["latitude"], address["longitude"])


def reception(reference: str, day: date) -> tuple[str, str]:
    """Disposition and person met."""
    met = chance(reference, f"met {day}")
    if met < 0.16:
        return "NO_ANSWER", "NONE"
    if met < 0.20:
        return "PREMISES_LOCKED", "NONE"
    if met < 0.24:
        return "MOVED_AWAY", "NONE"
    if met < 0.30:
        return "THIRD_PARTY_NO_DISCLOSURE", "THIRD_PARTY"
    said = chance(reference, f"said {day}")
    for until, disposition in (
        (0.55, "PROMISE_TO_PAY"),
        (0.63, "PAID_PARTIAL"),
        (0.73, "UNABLE_TO_PAY"),
        (0.86, "REFUSED_TO_PAY"),
        (0.93, "NO_COMMITMENT"),
    ):
        if said < until:
            return disposition, "DEBTOR"
    return "CLAIMS_PAID", "DEBTOR"


def payment(reference: str, account: str, amount: Decimal, currency: str, day: date, lender_id: str) -> dict[str, Any]:
    """A line of a lender's report; `lender_id` says who reports it and does not travel."""
    return {
        "reference": reference,
        "account_ref": account,
        "amount": {"amount": str(amount), "currency": currency},
        "received_on": str(day),
        "lender_id": lender_id,
    }
