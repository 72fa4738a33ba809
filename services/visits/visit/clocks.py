"""The time of an act, as far as a phone and the server's receipt can say. Pure: times in, times and flags out.

A phone that sends `device_now` shows the error of its clock; every time of that report is corrected by it. What the
phone said is stored beside what is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.errors import Invalid

TOLERANCE = timedelta(seconds=60)
"""An error up to this is the delay of a network: it is not corrected and not flagged."""
LATE_SYNC = timedelta(days=7)
CLOCK_AHEAD_MAX = timedelta(minutes=15)
LATE_REPORT = timedelta(hours=1)


class TimeFlag(StrEnum):
    """What is odd about the times of a report."""

    CLOCK_CORRECTED = "CLOCK_CORRECTED"
    CLOCK_OF_CHECK_IN = "CLOCK_OF_CHECK_IN"
    LATER_THAN_RECEIPT = "LATER_THAN_RECEIPT"
    BEFORE_PREVIOUS_STEP = "BEFORE_PREVIOUS_STEP"
    LATE_REPORT = "LATE_REPORT"
    ENTERED_BY_SUPERVISOR = "ENTERED_BY_SUPERVISOR"
    CHECKED_IN_AGAIN = "CHECKED_IN_AGAIN"


WORDS: dict[TimeFlag, str] = {
    TimeFlag.CLOCK_CORRECTED: "The phone's clock is wrong: its times are corrected by the error that device_now shows.",
    TimeFlag.CLOCK_OF_CHECK_IN: "The times are corrected by the clock error of this collector's check-in.",
    TimeFlag.LATER_THAN_RECEIPT: "The time is later than the arrival of this report: the arrival counts.",
    TimeFlag.BEFORE_PREVIOUS_STEP: "The time is earlier than the step before it.",
    TimeFlag.LATE_REPORT: "The report arrived more than an hour after the act.",
    TimeFlag.ENTERED_BY_SUPERVISOR: "A supervisor entered the times in place of a phone.",
    TimeFlag.CHECKED_IN_AGAIN: "This collector checked in at several times: the latest counts, or a supervisor's.",
}


class EntryReason(StrEnum):
    """Why a supervisor enters times that no phone can report."""

    PHONE_BROKEN = "PHONE_BROKEN"
    PHONE_LOST = "PHONE_LOST"
    CLOCK_WRONG = "CLOCK_WRONG"
    REPORTED_TOO_LATE = "REPORTED_TOO_LATE"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a report arrived. `error`: phone minus server; `inherited`: known from the check-in and not from this report.
    `previous_step`: when the step before happened. `entry_reason`: a supervisor enters it, for a visit of `day`."""

    received_at: datetime
    error: timedelta | None = None
    inherited: bool = False
    previous_step: datetime | None = None
    entry_reason: EntryReason | None = None
    day: date | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ActTime:
    """A time as it was `said`, and as it is judged (`at`)."""

    said: datetime
    at: datetime
    flags: frozenset[TimeFlag] = frozenset()


def read(said: datetime, receipt: Receipt) -> ActTime:
    """The time of an act. Raises Invalid where it cannot be true and the report does not show why."""
    if receipt.entry_reason is not None:
        return _entered(said, receipt)
    at, flags = _corrected(said, receipt)
    _check_plausible(at, receipt)
    if at > receipt.received_at + TOLERANCE:
        at, flags = receipt.received_at, flags | {TimeFlag.LATER_THAN_RECEIPT}
    if receipt.received_at - at > LATE_REPORT:
        flags |= {TimeFlag.LATE_REPORT}
    return ActTime(said, at, flags | _out_of_order(at, receipt))


def read_all(said: Mapping[str, datetime | None], receipt: Receipt) -> dict[str, ActTime]:
    """The times of a report by field, those that were not sent left out. Raises Invalid."""
    return {name: read(time, receipt) for name, time in said.items() if time is not None}


def _out_of_order(at: datetime, receipt: Receipt) -> frozenset[TimeFlag]:
    is_early = receipt.previous_step is not None and at < receipt.previous_step - TOLERANCE
    return frozenset({TimeFlag.BEFORE_PREVIOUS_STEP}) if is_early else frozenset()


def _corrected(said: datetime, receipt: Receipt) -> tuple[datetime, frozenset[TimeFlag]]:
    error = receipt.error
    if error is None or abs(error) <= TOLERANCE:
        return said, frozenset()
    at = said - error
    if not receipt.inherited:
        return at, frozenset({TimeFlag.CLOCK_CORRECTED})
    begin = (receipt.previous_step or receipt.received_at - LATE_SYNC) - TOLERANCE
    if not begin <= at <= receipt.received_at + TOLERANCE:
        return said, frozenset()  # the clock was set right after the check-in
    return at, frozenset({TimeFlag.CLOCK_OF_CHECK_IN})


def _check_plausible(at: datetime, receipt: Receipt) -> None:
    remedy = (
        "The clock was changed since: a supervisor enters the time, with an entry_reason."
        if receipt.error is not None and not receipt.inherited
        else "Send device_now, the phone's present time, or let a supervisor enter it with an entry_reason."
    )
    if at > receipt.received_at + CLOCK_AHEAD_MAX:
        raise Invalid("time-in-future", f"The phone's time is in the future. {remedy}")
    if at < receipt.received_at - LATE_SYNC:
        raise Invalid("time-too-old", f"The phone's time is more than {LATE_SYNC.days} days old. {remedy}")


def _entered(said: datetime, receipt: Receipt) -> ActTime:
    """A supervisor's time may be older than a phone's, but lies neither in the future nor more than a day before the
    visit's day."""
    if said > receipt.received_at + TOLERANCE:
        raise Invalid("time-in-future", "The time is in the future: enter when it happened.")
    local = said.astimezone(ZoneInfo(receipt.time_zone)).date()
    if receipt.day is not None and local < receipt.day - timedelta(days=1):
        raise Invalid("time-before-visit", "The time is before the visit's day: enter when it happened.")
    at = min(said, receipt.received_at)
    return ActTime(said, at, frozenset({TimeFlag.ENTERED_BY_SUPERVISOR}) | _out_of_order(at, receipt))
