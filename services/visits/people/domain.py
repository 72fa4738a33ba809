"""The life of a collector, and the members of a team from a day on. Pure: rows as mappings, times and days as
arguments. A collector who is suspended or has left is off duty and takes no further step of a visit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from shared.errors import Conflict, Invalid

TEAM_SIZE_MIN = 2
FIRST_DAY = date(2000, 1, 1)
"""The members that a team was formed with are its members from this day on."""
DAYS_AHEAD_MAX = 366
WEST = timedelta(hours=12)
"""Where a day ends last, behind UTC."""


class CollectorStatus(StrEnum):
    """ACTIVE: cleared, may be sent."""

    CANDIDATE = "CANDIDATE"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    LEFT = "LEFT"


class Action(StrEnum):
    """What changes a collector's status."""

    CLEAR = "CLEARED"
    SUSPEND = "SUSPENDED"
    REINSTATE = "REINSTATED"
    LEAVE = "LEFT"


OFF_DUTY = (CollectorStatus.SUSPENDED, CollectorStatus.LEFT)
_ALREADY = {
    Action.CLEAR: CollectorStatus.ACTIVE,
    Action.SUSPEND: CollectorStatus.SUSPENDED,
    Action.REINSTATE: CollectorStatus.ACTIVE,
    Action.LEAVE: CollectorStatus.LEFT,
}
_FROM = {
    Action.CLEAR: (CollectorStatus.CANDIDATE,),
    Action.SUSPEND: (CollectorStatus.CANDIDATE, CollectorStatus.ACTIVE),
    Action.REINSTATE: (CollectorStatus.SUSPENDED,),
    Action.LEAVE: (CollectorStatus.CANDIDATE, CollectorStatus.ACTIVE, CollectorStatus.SUSPENDED),
}


def next_status(status: CollectorStatus, action: Action, *, before: CollectorStatus) -> CollectorStatus:
    """The status after an action. `before`: the status before the suspension, which a reinstatement gives back: it
    clears no candidate. Raises Conflict where the action does not fit."""
    if status in _FROM[action]:
        return before if action is Action.REINSTATE else _ALREADY[action]
    if status is CollectorStatus.LEFT:
        raise Conflict(
            "collector-left", "This collector has left, for good. Register the person again, under another `id`."
        )
    raise Conflict(
        f"collector-{status.lower()}",
        f"This collector is {status}: {action.name.lower()} is for those who are {', '.join(_FROM[action])}.",
        collector_status=status,
    )


def is_done(status: CollectorStatus, action: Action) -> bool:
    """Whether the collector has the status that this action leads to."""
    return status is _ALREADY[action]


def status_at(status: str, statuses: Sequence[Mapping[str, Any]], at: datetime) -> CollectorStatus:
    """The status at a time. `statuses` holds each change with its time, the oldest first; a row of an earlier release
    has none, and its status counts always."""
    found = statuses[0]["before"] if statuses else status
    for change in statuses:
        if datetime.fromisoformat(change["from"]) <= at:
            found = change["status"]
    return CollectorStatus(found)


def status_before_suspension(statuses: Sequence[Mapping[str, Any]]) -> CollectorStatus:
    """What a reinstatement gives back. A collector who was registered as suspended was never cleared."""
    found = [change["before"] for change in statuses if change["status"] == CollectorStatus.SUSPENDED]
    return CollectorStatus(found[-1]) if found else CollectorStatus.CANDIDATE


class Members(Protocol):
    """The members of a team from a day on, the lead first."""

    id: UUID
    team_id: UUID
    from_day: date
    collector_ids: list[str]


def members_on(versions: Iterable[Members], day: date) -> dict[UUID, list[UUID]]:
    """The members of each team on a day: the latest first day counts; of two changes from one day the later one."""
    latest: dict[UUID, Members] = {}
    for each in sorted(versions, key=lambda each: (each.from_day, each.id)):
        if each.from_day <= day:
            latest[each.team_id] = each
    return {team_id: [UUID(ref) for ref in each.collector_ids] for team_id, each in latest.items()}


@dataclass(frozen=True, slots=True)
class OnTwoTeams:
    """One of the teams of a collector who is on more than one of them on a day."""

    collector_id: UUID
    team_id: UUID
    day: date


def on_two_teams(members: Mapping[UUID, Sequence[UUID]], day: date) -> list[OnTwoTeams]:
    """The collectors who are on two of these teams, each with all of them."""
    teams: dict[UUID, list[UUID]] = {}
    for team_id in sorted(members):
        for collector_id in members[team_id]:
            teams.setdefault(collector_id, []).append(team_id)
    return [OnTwoTeams(who, each, day) for who, several in teams.items() if len(several) > 1 for each in several]


def first_on_two_teams(versions: Sequence[Members], collector_ids: Sequence[UUID], from_day: date) -> list[OnTwoTeams]:
    """Those of these collectors who are on two teams, on the first such day from a day on."""
    for day in sorted({from_day, *(each.from_day for each in versions if each.from_day > from_day)}):
        found = [each for each in on_two_teams(members_on(versions, day), day) if each.collector_id in collector_ids]
        if found:
            return found
    return []


def check_one_team(found: Sequence[OnTwoTeams]) -> None:
    """Raises Conflict where a collector is on two teams of one day: two routes cannot have the same person."""
    if found:
        raise Conflict(
            "collector-on-two-teams",
            f"A collector is on two teams on {found[0].day}. Name another member or other teams, or take the collector"
            " off one of them: POST /visits/v1/teams/{id}/members (with empty `collector_ids` the team is off duty).",
            collectors=[
                {"collector_id": str(each.collector_id), "team_id": str(each.team_id), "day": str(each.day)}
                for each in found
            ],
        )


def earliest_day(now: datetime) -> date:
    """The first day that is not over everywhere."""
    return (now - WEST).date()


def check_from_day(day: date, now: datetime) -> None:
    """Raises Invalid for a day that is over everywhere: what was, is not rewritten; or for one too far ahead."""
    today = earliest_day(now)
    if not today <= day <= today + timedelta(days=DAYS_AHEAD_MAX):
        raise Invalid(
            "day-out-of-reach", f"`from_day` must be today or one of the next {DAYS_AHEAD_MAX} days: name one of them."
        )


@dataclass(frozen=True, slots=True)
class OffDuty:
    """A collector who may not be sent, and why."""

    collector_id: UUID
    status: CollectorStatus


def on_duty(members: Sequence[UUID], off: Iterable[OffDuty]) -> list[UUID]:
    """The members who may be sent, in order."""
    away = {each.collector_id for each in off}
    return [member for member in members if member not in away]


def can_go(crew: Sequence[UUID]) -> bool:
    """Whether so many collectors may be sent: no collector visits alone."""
    return len(crew) >= TEAM_SIZE_MIN


def off_duty_code(off: Sequence[OffDuty]) -> str:
    """The stable code of a refusal: a suspension can be lifted, so it is named first."""
    suspended = any(each.status is CollectorStatus.SUSPENDED for each in off)
    return "collector-suspended" if suspended or not off else "collector-left"


def off_duty_words(off: Sequence[OffDuty]) -> str:
    """Who is off duty, in a sentence."""
    if off_duty_code(off) == "collector-suspended":
        return "A collector is suspended."
    return "A collector has left."


def off_duty_fields(off: Sequence[OffDuty]) -> dict[str, object]:
    """The collectors of a refusal, as fields of its problem document."""
    return {"collectors": [{"collector_id": str(each.collector_id), "status": each.status} for each in off]}
