"""What is known of a case, in the law's words, at the time of an act: a consent that was withdrawn later still counts
for what was done before."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from services.visits.caseload.tables import CaseloadRow
from shared.law import (
    Facts,
    Grant,
    HoldFacts,
    HoldReason,
    HoldScope,
    NoticeKind,
    OtherGround,
    PlaceType,
    QuietPeriod,
    QuietReason,
    VisitPurpose,
)


def facts_of(row: CaseloadRow, at: datetime) -> Facts:
    """What the gate is told of a case."""
    contact_visits = _times(row.contact_visits)
    return Facts(
        jurisdiction=row.jurisdiction,
        at=at,
        country=row.country or None,
        region=row.region,
        time_zone=row.time_zone or None,
        product=row.product or None,
        purpose=VisitPurpose(row.purpose),
        place_type=PlaceType(row.place_type),
        denied_places=frozenset(map(PlaceType, row.preference.get("inconvenient_places", ()))),
        employer_forbids=row.preference.get("employer_forbids", False),
        address_verified=row.address_verified,
        hazard=True if _is_unsafe(row, at) else row.hazard,
        holds=tuple(_holds(row, at)),
        quiet_periods=tuple(_quiet(period) for period in row.quiet_periods.values()),
        contact_visits=contact_visits,
        other_cases_visits=_times(row.other_visits),
        first_contact_at=_first_contact(row, contact_visits),
        notices=_notices(row, at),
        transferred=row.transferred,
        grants=(*_grants(row.consents, at), *_grants(_standing_grounds(row, at), at)),
        asked_to_leave=_times(row.asked_to_leave),
    )


def _is_unsafe(row: CaseloadRow, at: datetime) -> bool:
    """Whether it was known by then that a visit was broken off as unsafe."""
    return row.unsafe_since is not None and row.unsafe_since <= at


def _standing_grounds(row: CaseloadRow, at: datetime) -> Mapping[str, Mapping[str, Any]]:
    """The grounds of a case. A safety plan that is older than an unsafe visit counts no more."""
    if row.unsafe_since is None or not _is_unsafe(row, at):
        return row.grounds
    since = row.unsafe_since
    return {
        ground_id: ground
        for ground_id, ground in row.grounds.items()
        if ground["scope"] != OtherGround.SAFETY_PLAN or datetime.fromisoformat(ground["given_at"]) >= since
    }


def _first_contact(row: CaseloadRow, contact_visits: Iterable[datetime]) -> datetime | None:
    """By whatever way: cases tells of calls, and of visits a little later than they are known here."""
    return min([*contact_visits, *([row.first_contact_at] if row.first_contact_at else [])], default=None)


def _times(texts: Iterable[str]) -> tuple[datetime, ...]:
    return tuple(map(datetime.fromisoformat, texts))


def _holds(row: CaseloadRow, at: datetime) -> Iterable[HoldFacts]:
    """What stops contact at a time, however late the act is reported; and what does so later, with its times: a hold
    that begins during the act counts."""
    for hold in row.holds.values():
        since, until = (datetime.fromisoformat(hold[name]) if hold.get(name) else None for name in ("from", "until"))
        if until is not None and until <= at:
            continue
        reason, scope = HoldReason(hold["reason"]), HoldScope(hold["scope"])
        if since is None or since <= at:
            yield HoldFacts(reason=reason, scope=scope)
        else:
            yield HoldFacts(reason=reason, scope=scope, since=since, until=until)
    if row.active_promises:
        yield HoldFacts(reason=HoldReason.PROMISE_ACTIVE, scope=HoldScope.VISIT)


def _quiet(period: Mapping[str, Any]) -> QuietPeriod:
    last_day = period.get("last_day")
    return QuietPeriod(
        reason=QuietReason(period["reason"]),
        first_day=date.fromisoformat(period["first_day"]),
        last_day=date.fromisoformat(last_day) if last_day else None,
    )


def _notices(row: CaseloadRow, at: datetime) -> dict[NoticeKind, datetime]:
    """When each kind was sent: the first time, but the last one for what is told anew. A visit that was announced and
    made does not announce the next one."""
    found: dict[NoticeKind, datetime] = {}
    for name, sent in row.notices.items():
        kind, times = NoticeKind(name), sorted(_times(sent))
        if kind is NoticeKind.VISIT and row.last_visit_at is not None and row.last_visit_at <= at:
            times = [time for time in times if time > row.last_visit_at]
        if not times:
            continue
        by_then = [time for time in times if time <= at]
        newest = kind in (NoticeKind.VISIT, NoticeKind.AGENT)
        found[kind] = by_then[-1] if newest and by_then else times[0]
    return found


def _grants(recorded: Mapping[str, Mapping[str, Any]], at: datetime) -> Iterable[Grant]:
    """What was allowed at a time or later, each with the id of its record and its time, the newest record first."""
    for record_id, given in sorted(recorded.items(), reverse=True):
        ends = [given[name] for name in ("valid_until", "withdrawn_at") if given.get(name)]
        until = min(_times(ends), default=None)
        if until is None or at < until:
            since = datetime.fromisoformat(given["given_at"])
            yield Grant(scope=given["scope"], evidence=record_id, since=since, until=until)
