"""Consents and contact preferences: what a debtor allows, and when and where contact suits. A consent is never edited;
it ends by its own day or by a withdrawal, which is a fact of its own."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from enum import StrEnum
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from shared.errors import Conflict, Forbidden, Invalid

PREFERENCE_WINDOWS_MAX = 21


class Channel(StrEnum):
    """A way to reach somebody."""

    CALL = "CALL"
    SMS = "SMS"
    EMAIL = "EMAIL"
    LETTER = "LETTER"


class ConsentMeans(StrEnum):
    """How a consent was given."""

    IN_WRITING = "IN_WRITING"
    RECORDED_CALL = "RECORDED_CALL"
    IN_PERSON = "IN_PERSON"
    ELECTRONIC = "ELECTRONIC"


def check_means(means: ConsentMeans, *, by_phone_only: bool) -> None:
    """A caller records what was said in a recorded call. Raises Forbidden."""
    if by_phone_only and means is not ConsentMeans.RECORDED_CALL:
        raise Forbidden("not-by-phone", "`channel` must be RECORDED_CALL for a caller. Ask the desk to record it.")


def check_times(given_at: datetime, valid_until: datetime | None, now: datetime) -> None:
    """A consent was given already, and ends after it was given. Raises Invalid."""
    if given_at > now:
        raise Invalid("in-the-future", "`given_at` must not be in the future: it is when the consent was given.")
    if valid_until is not None and valid_until <= given_at:
        raise Invalid("consent-reversed", "`valid_until` must be after `given_at`.")


def check_withdrawal(given_at: datetime, withdrawn_at: datetime | None, at: datetime, now: datetime) -> None:
    """A consent is withdrawn once, after it was given and not in the future. Raises Conflict or Invalid."""
    if withdrawn_at is not None:
        raise Conflict(
            "consent-withdrawn", "This consent is withdrawn already: record a new one if the debtor gives it."
        )
    if not given_at <= at <= now:
        raise Invalid("withdrawal-time", "`at` must be after the consent was given, and not in the future.")


class Given(Protocol):
    """When a consent was given, and when it ends or was withdrawn."""

    given_at: datetime
    valid_until: datetime | None
    withdrawn_at: datetime | None


def is_in_force(consent: Given, at: datetime) -> bool:
    """Whether a consent was given, and neither over nor withdrawn, at a time."""
    ends = [end for end in (consent.valid_until, consent.withdrawn_at) if end is not None]
    return consent.given_at <= at and all(at < end for end in ends)


def suits(
    channels: Sequence[str], windows: Sequence[Mapping[str, Any]], channel: Channel, at: datetime, time_zone: str
) -> bool:
    """Whether a channel and a time suit what a debtor said. What was left empty suits."""
    local = at.astimezone(ZoneInfo(time_zone))
    open_now = [
        window
        for window in windows
        if window["weekday"] == local.isoweekday()
        and time.fromisoformat(window["opens_at"]) <= local.time() < time.fromisoformat(window["closes_at"])
    ]
    return (not channels or channel in channels) and (not windows or bool(open_now))
