"""The life of a day plan, and the difference between two of them. A plan that replaces another says in words what
changed and for how many visits the team did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from services.visits.people.domain import DAYS_AHEAD_MAX, WEST
from shared.errors import Conflict, Invalid
from shared.law import is_field_day

BASIS_KEPT_DAYS = 7


class PlanStatus(StrEnum):
    """DRAFT: asked for, being solved. SOLVED: may be looked at and changed. PUBLISHED: its visits stand. FROZEN: nobody
    changes it any more. A plan that another replaced is SUPERSEDED."""

    DRAFT = "DRAFT"
    SOLVED = "SOLVED"
    PUBLISHED = "PUBLISHED"
    FROZEN = "FROZEN"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


def stream_of(plan_id: UUID) -> str:
    """The stream of the steps of its solving."""
    return f"day-plan/{plan_id}"


def check_status(status: str, allowed: Sequence[PlanStatus], *, to: str) -> None:
    """Raises Conflict where a plan in this status cannot be published, moved about …"""
    if status not in allowed:
        raise Conflict(f"plan-{status.lower()}", f"A plan that is {status} cannot be {to}.", plan_status=status)


def check_day(day: date, now: datetime) -> None:
    """Raises Invalid for a day that is over everywhere, or too far ahead for anybody to know its law."""
    today = (now - WEST).date()
    if not today <= day <= today + timedelta(days=DAYS_AHEAD_MAX):
        raise Invalid(
            "day-out-of-reach", f"A plan is for today or one of the next {DAYS_AHEAD_MAX} days: {day} is none of them."
        )


def last_day_without_basis(now: datetime) -> date:
    """The last day whose plans have no basis any more: BASIS_KEPT_DAYS later has begun everywhere."""
    return (now - WEST).date() - timedelta(days=BASIS_KEPT_DAYS)


def may_print(day: date, now: datetime, time_zone: str, *, supervises: bool) -> bool:
    """Whether a sheet with names may be printed now. The team gets it when it may read the dossiers; a supervisor, who
    prepares the day, from the publication on. When the day is over it is for nobody: who needs a past visit reads that
    one dossier, for a reason."""
    if not supervises:
        return is_field_day(day, now, time_zone)
    return now.astimezone(ZoneInfo(time_zone)).date() <= day


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a case stands on a plan."""

    team_id: UUID
    start: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """What one plan has that the other has not, by case."""

    added: tuple[UUID, ...] = ()
    removed: tuple[UUID, ...] = ()
    other_team: tuple[UUID, ...] = ()
    other_time: tuple[UUID, ...] = ()

    def words(self, language: str) -> str:
        """In a sentence, "en" or "zh"."""
        counts = [len(each) for each in (self.added, self.removed, self.other_team, self.other_time)]
        if not any(counts):
            return "未變更。" if language == "zh" else "Nothing changed."
        if language == "zh":
            names = ("新增 {} 訪", "取消 {} 訪", "{} 訪改派其他小組", "{} 訪改時間")
            return "、".join(name.format(count) for name, count in zip(names, counts, strict=True) if count) + "。"
        names = ("{} added", "{} taken off", "{} given to another team", "{} at another time")
        return ", ".join(name.format(count) for name, count in zip(names, counts, strict=True) if count) + "."

    def to_json(self) -> dict[str, list[str]]:
        return {
            "added": [str(case_id) for case_id in self.added],
            "removed": [str(case_id) for case_id in self.removed],
            "other_team": [str(case_id) for case_id in self.other_team],
            "other_time": [str(case_id) for case_id in self.other_time],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, list[str]]) -> "Changes":
        return cls(**{name: tuple(map(UUID, case_ids)) for name, case_ids in document.items()})


def changes_between(old: Mapping[UUID, Assignment], new: Mapping[UUID, Assignment]) -> Changes:
    """What changes for whom, from one plan to the next, in the order of case ids."""
    both = sorted(old.keys() & new.keys())
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        other_team=tuple(case_id for case_id in both if old[case_id].team_id != new[case_id].team_id),
        other_time=tuple(
            case_id
            for case_id in both
            if old[case_id].team_id == new[case_id].team_id and old[case_id].start != new[case_id].start
        ),
    )
