"""Complaints: what they are about, by when they are answered, and what came of them."""

from datetime import date, datetime, timedelta
from enum import StrEnum

from shared.errors import Conflict, Invalid
from shared.law import Due, NoSuchPeriod, RulePack, deadline_for

# Where no pack in force names a day, complaints still get an answer.
ANSWER_DAYS_WITHOUT_RULE = 15


class ComplaintKind(StrEnum):
    CONDUCT = "CONDUCT"
    DISCLOSURE = "DISCLOSURE"
    FREQUENCY = "FREQUENCY"
    HOURS = "HOURS"
    AMOUNT = "AMOUNT"
    IDENTITY = "IDENTITY"
    FEES = "FEES"
    OTHER = "OTHER"


class ComplaintChannel(StrEnum):
    """How a complaint came."""

    CALL = "CALL"
    EMAIL = "EMAIL"
    LETTER = "LETTER"
    IN_PERSON = "IN_PERSON"
    LENDER = "LENDER"
    REGULATOR = "REGULATOR"


class ComplaintOutcome(StrEnum):
    UPHELD = "UPHELD"
    PARTLY_UPHELD = "PARTLY_UPHELD"
    NOT_UPHELD = "NOT_UPHELD"
    WITHDRAWN = "WITHDRAWN"


def check_filed(filed_at: datetime, now: datetime) -> None:
    """Raises Invalid for a complaint of the future."""
    if filed_at > now:
        raise Invalid("in-the-future", "A complaint cannot come from the future: `filed_at` is when it was made.")


def answer_due(packs: tuple[RulePack, ...], filed_on: date, *, country: str, region: str | None) -> Due:
    """By when a complaint of a local day is answered, and by which rule."""
    try:
        return deadline_for(packs, "complaint", filed_on, country=country, region=region)
    except NoSuchPeriod:
        return Due(filed_on + timedelta(days=ANSWER_DAYS_WITHOUT_RULE), "none", "no rule in force names a day")


def check_open(resolved_at: datetime | None) -> None:
    """Raises Conflict for a complaint that was resolved."""
    if resolved_at is not None:
        raise Conflict("complaint-resolved", "This complaint was resolved already. A new complaint is filed anew.")
