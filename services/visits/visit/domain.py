"""The life of a visit, and what may be written down of it. Refused is only what cannot be true; what happened,
however unlawful, is recorded as it happened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from services.visits.visit.clocks import TOLERANCE
from shared.errors import Conflict, Invalid
from shared.instalments import Part, check_parts
from shared.law import Disposition, DispositionGroup, PersonMet
from shared.money import Money, NotMoney

COLLECTORS_MIN = 2
PROMISING = (Disposition.PROMISE_TO_PAY, Disposition.ARRANGEMENT_REQUESTED)


class VisitStatus(StrEnum):
    PLANNED = "PLANNED"
    DISPATCHED = "DISPATCHED"
    EN_ROUTE = "EN_ROUTE"
    CHECKED_IN = "CHECKED_IN"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
    CANCELLED = "CANCELLED"
    MISSED = "MISSED"


class IncidentKind(StrEnum):
    """What a person must look into. RULE_BROKEN: something happened that a rule forbids. RECORD_OVERDUE: a visit began
    and nothing was written down of it by the end of its day. SAFETY: it was broken off because it was not safe."""

    RECORD_INCOMPLETE = "RECORD_INCOMPLETE"
    RECORD_OVERDUE = "RECORD_OVERDUE"
    RULE_BROKEN = "RULE_BROKEN"
    SAFETY = "SAFETY"


class MissedReason(StrEnum):
    """Why a planned visit did not take place, as far as it is known. The first three are dispositions, too."""

    RULE_BLOCKED = "RULE_BLOCKED"
    COLLECTOR_UNAVAILABLE = "COLLECTOR_UNAVAILABLE"
    ROUTE_OVERRUN = "ROUTE_OVERRUN"
    NOT_DISPATCHED = "NOT_DISPATCHED"
    NO_CHECK_IN = "NO_CHECK_IN"
    CHECK_IN_INCOMPLETE = "CHECK_IN_INCOMPLETE"


OPEN = (VisitStatus.PLANNED, VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE, VisitStatus.CHECKED_IN)
UNDER_WAY = (VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE, VisitStatus.CHECKED_IN)
NOT_STARTED = (VisitStatus.PLANNED, VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE)


def check_status(status: str, allowed: Sequence[VisitStatus], *, to: str) -> None:
    """Raises Conflict where a visit in this status cannot be dispatched, completed …"""
    if status in allowed:
        return
    if status == VisitStatus.COMPLETED:
        raise Conflict("already-completed", "This visit is completed already; what happened later is a new visit.")
    if to == "complete" and status in NOT_STARTED:
        raise Conflict("not-started", f"At least {COLLECTORS_MIN} collectors must check in first.")
    raise Conflict("visit-status", f"A visit that is {status} cannot be {to}.", visit_status=status)


def day_end(day: date, time_zone: str) -> datetime:
    """When a local day is over: the next midnight there."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone))


def check_reportable(status: str, missed_status: str | None, allowed: Sequence[VisitStatus], *, to: str) -> bool:
    """Whether a report is late evidence of a visit that was given up as missed. Raises Conflict where the visit is in
    another state, or was missed without a team that had been sent."""
    if status == VisitStatus.MISSED and missed_status in allowed:
        return True
    check_status(status, allowed, to=to)
    return False


def check_late_evidence(at: datetime, day: date, time_zone: str) -> None:
    """Late evidence shows an act of the visit's own day. Raises Conflict for a later one."""
    if at >= day_end(day, time_zone):
        raise Conflict(
            "visit-missed",
            "The day of this visit is over and it is missed; only what happened on that day can still be reported.",
        )


def settled_end(started_at: datetime, ended_at: datetime) -> datetime:
    """The end of a visit, which is not before its beginning; two clocks may differ a little. Raises Invalid."""
    if ended_at <= started_at - TOLERANCE:
        raise Invalid(
            "ended-before-started",
            f"The visit began at {started_at.isoformat()}: it cannot end before that. Send device_now, the phone's "
            "present time, or let a supervisor enter the time with an entry_reason.",
        )
    return max(started_at, ended_at)


def why_missed(status: str, *, arrived: int, blocked: bool, team_ill: bool, team_late: bool) -> MissedReason:
    """The reason that is known. `blocked`: the law stopped the last step; `team_ill`: ill, or too few are on duty;
    `arrived`: collectors who checked in."""
    if blocked:
        return MissedReason.RULE_BLOCKED
    if team_ill:
        return MissedReason.COLLECTOR_UNAVAILABLE
    if arrived:
        return MissedReason.CHECK_IN_INCOMPLETE
    if team_late:
        return MissedReason.ROUTE_OVERRUN
    return MissedReason.NOT_DISPATCHED if status == VisitStatus.PLANNED else MissedReason.NO_CHECK_IN


def recordings(media_types: Iterable[str]) -> int:
    """How many of these files are recordings of a visit."""
    return sum(media_type.startswith(("audio/", "video/")) for media_type in media_types)


def next_day(visit_day: date, at: datetime, time_zone: str) -> date:
    """The earliest day for another visit after one that was broken off at a time."""
    return max(visit_day, at.astimezone(ZoneInfo(time_zone)).date()) + timedelta(days=1)


def differing(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """Names of the fields that a report sent again has otherwise. The order of conduct and evidence says nothing."""
    return sorted(name for name in stored.keys() | sent.keys() if _plain(stored.get(name)) != _plain(sent.get(name)))


@dataclass(frozen=True, slots=True)
class Supplement:
    """Proofs as a record holds them. None, and an empty dict or list: not there."""

    facts: Mapping[str, Any]
    consents: Mapping[str, str]
    evidence: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        return sorted(
            [*self.facts, *(f"consent:{scope}" for scope in self.consents), *(["evidence"] if self.evidence else [])]
        )


def added_to(kept: Supplement, sent: Supplement) -> Supplement:
    """What is new in a supplement. Raises Conflict where it says other than the record does."""
    contradicted = sorted(
        [
            *(name for name, value in sent.facts.items() if name in kept.facts and kept.facts[name] != value),
            *(f"consent:{scope}" for scope, proof in sent.consents.items() if kept.consents.get(scope, proof) != proof),
        ]
    )
    if contradicted:
        raise Conflict(
            "already-recorded",
            f"The record holds these already, with other values: {', '.join(contradicted)}. A supplement adds what is "
            "missing and changes nothing.",
            differs=contradicted,
        )
    return Supplement(
        {name: value for name, value in sent.facts.items() if name not in kept.facts},
        {scope: proof for scope, proof in sent.consents.items() if scope not in kept.consents},
        {digest: item for digest, item in sent.evidence.items() if digest not in kept.evidence},
    )


def _plain(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value


def time_of_act(window_start: datetime, window_end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """When a visit that is sent now will begin and end: in its window, or as long from now on where that has begun."""
    start = max(now, window_start)
    return start, start + (window_end - window_start)


def check_outcome(disposition: Disposition, person: PersonMet) -> None:
    """Disposition and person met must fit each other. Raises Invalid."""
    if disposition.group is DispositionGroup.NOT_PERFORMED:
        raise Invalid(
            "disposition",
            "`disposition` says that the visit did not take place: abort the visit with this reason instead.",
        )
    fits = {
        DispositionGroup.RIGHT_PARTY: person.is_right_party,
        DispositionGroup.OTHER_PARTY: person is PersonMet.THIRD_PARTY,
        DispositionGroup.NO_CONTACT: person is PersonMet.NONE,
    }[disposition.group]
    if not fits:
        raise Invalid(
            "disposition", f"`disposition` {disposition} contradicts `person_met` {person}: correct one of them."
        )


def check_not_closed(closed_at: datetime | None, at: datetime) -> None:
    """Nothing is demanded at this time any more: the team does not go to the door. Raises Conflict."""
    if closed_at is not None and closed_at <= at:
        raise Conflict(
            "case-closed",
            "The debtor owes us nothing any more, or the lender took the case back: do not go to the door. Take the "
            "visit off with CANCELLED_PAID or CANCELLED_RECALL.",
        )


def check_promise(
    disposition: Disposition, instalments: Sequence[Part], *, on: date, currency: str, balance_minor: int
) -> None:
    """Raises Invalid unless the terms are valid, the visit may bring a promise, and the case owes as much."""
    if disposition not in PROMISING:
        raise Invalid(
            "promise", f"`disposition` {disposition} takes no `promise`: use PROMISE_TO_PAY or ARRANGEMENT_REQUESTED."
        )
    check_parts(instalments, on=on, currency=currency)
    if sum(instalment.money.minor for instalment in instalments) > balance_minor:
        raise Invalid("promise", "`instalments` must not add up to more than the balance.")


def check_cash(money: Money, *, currency: str) -> None:
    """Raises Invalid."""
    if money.currency != currency or money.minor <= 0:
        raise Invalid("cash", f"`cash.amount` must be more than 0, in {currency}.")


def money_of(amount: object, currency: str) -> Money:
    """An amount of a request. Raises Invalid."""
    try:
        return Money.parse(str(amount), currency)
    except NotMoney as error:
        raise Invalid("amount", f"The amount is {error}.") from None


def days_after(day: date, days: int) -> date:
    return day + timedelta(days=days)
