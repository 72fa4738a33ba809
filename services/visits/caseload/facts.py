"""A row of the caseload in the law's words: what is recorded about the case, each record with its time."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from services.visits.caseload.tables import CaseloadRow
from shared.law import (
    Act,
    Agency,
    Facts,
    Grant,
    HoldFacts,
    HoldReason,
    HoldScope,
    PlaceType,
    QuietPeriod,
    QuietReason,
    Recorded,
    VisitPurpose,
    facts_of_case,
)


def facts_of(row: CaseloadRow, at: datetime, agency: Agency | None) -> Facts:
    """The facts of a visit for the case's purpose at a time. `agency`: that of the case's lender, if it is known."""
    act = Act(at=at, purpose=VisitPurpose(row.purpose), place_type=PlaceType(row.place_type))
    return facts_of_case(row, recorded(row, agency), act)


def recorded(row: CaseloadRow, agency: Agency | None) -> Recorded:
    """What is recorded about a case."""
    return Recorded(
        holds=tuple(_holds(row)),
        grants=(*_grants(row.consents), *_grants(row.grounds)),
        quiet_periods=tuple(map(_quiet, row.quiet_periods.values())),
        notices={kind: _times(sent) for kind, sent in row.notices.items()},
        denied_places=row.preference.get("inconvenient_places", ()),
        employer_forbids=row.preference.get("employer_forbids", False),
        agency=agency,
        address_verified=row.address_verified,
        hazard=row.hazard,
        unsafe_since=row.unsafe_since,
        contact_visits=_times(row.contact_visits),
        other_cases_visits=_times(row.other_visits),
        last_visit_at=row.last_visit_at,
        asked_to_leave=_times(row.asked_to_leave),
    )


def _times(texts: Iterable[str]) -> tuple[datetime, ...]:
    return tuple(map(datetime.fromisoformat, texts))


def _holds(row: CaseloadRow) -> Iterable[HoldFacts]:
    for hold in row.holds.values():
        since, until = (datetime.fromisoformat(hold[name]) if hold.get(name) else None for name in ("from", "until"))
        yield HoldFacts(reason=HoldReason(hold["reason"]), scope=HoldScope(hold["scope"]), since=since, until=until)
    if row.active_promises:
        yield HoldFacts(reason=HoldReason.PROMISE_ACTIVE, scope=HoldScope.VISIT)


def _quiet(period: Mapping[str, Any]) -> QuietPeriod:
    last_day = period.get("last_day")
    return QuietPeriod(
        reason=QuietReason(period["reason"]),
        first_day=date.fromisoformat(period["first_day"]),
        last_day=date.fromisoformat(last_day) if last_day else None,
    )


def _grants(given: Mapping[str, Mapping[str, Any]]) -> Iterable[Grant]:
    """Each with the id of its record and its time, the newest record first."""
    for record_id, each in sorted(given.items(), reverse=True):
        ends = [each[name] for name in ("valid_until", "withdrawn_at") if each.get(name)]
        since = datetime.fromisoformat(each["given_at"])
        yield Grant(scope=each["scope"], evidence=record_id, since=since, until=min(_times(ends), default=None))
