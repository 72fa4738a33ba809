"""The times of a report: how they are read, stored beside what the phone said, published, and answered as warnings."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.visits.visit.clocks import WORDS, ActTime, Receipt, TimeFlag
from services.visits.visit.schemas import ReportBody, ReportWarning
from services.visits.visit.tables import VisitRow
from shared.auth import Actor, Role
from shared.errors import Forbidden
from shared.events.values import ReportedTimes


def receipt_of(
    visit: VisitRow, body: ReportBody, *, actor: Actor, now: datetime, previous_step: datetime | None
) -> Receipt:
    """How a report arrived. Without `device_now`, a collector's report takes the clock error that the check-in of the
    same collector showed. Raises Forbidden for a collector who enters times as a supervisor does."""
    if body.entry_reason is not None and not actor.has(Role.SUPERVISOR):
        raise Forbidden("entry-by-supervisor", "Only a supervisor may send `entry_reason`.")
    error, inherited = body.device_now - now if body.device_now else None, False
    if error is None and actor.has(Role.COLLECTOR):
        seconds = visit.check_ins.get(actor.subject, {}).get("clock_offset_seconds")
        error, inherited = timedelta(seconds=seconds) if seconds is not None else None, True
    return Receipt(now, error, inherited, previous_step, body.entry_reason, visit.day, visit.time_zone)


def stored(times: Mapping[str, ActTime], receipt: Receipt, actor: Actor) -> dict[str, Any]:
    """What is stored of a report's times: as they were said, as they are judged, and why these differ."""
    return {
        "received_at": receipt.received_at.isoformat(),
        "clock_error_seconds": receipt.error.total_seconds() if receipt.error is not None else None,
        "said": {name: time.said.isoformat() for name, time in times.items()},
        "at": {name: time.at.isoformat() for name, time in times.items()},
        "flags": sorted(flags_of(times.values())),
        "entered_by": str(actor.ref) if receipt.entry_reason else None,
        "entry_reason": receipt.entry_reason,
    }


def published(reported: Mapping[str, Any]) -> ReportedTimes | None:
    """The same for an event; None where the phone's times count as they are and nothing else is known of them."""
    error = reported["clock_error_seconds"]
    if error is None and not reported["flags"]:
        return None
    return ReportedTimes(
        said=reported["said"],
        clock_error_seconds=None if error is None else round(error),
        flags=reported["flags"],
        entered_by=reported["entered_by"],
        entry_reason=reported["entry_reason"],
    )


def flags_of(times: Iterable[ActTime]) -> set[TimeFlag]:
    return {flag for time in times for flag in time.flags}


def warnings_of(times: Mapping[str, ActTime]) -> list[ReportWarning]:
    """What is odd about the times, field by field."""
    return [
        ReportWarning(where=f"body.{name}", what=WORDS[flag])
        for name, time in times.items()
        for flag in sorted(time.flags)
    ]
