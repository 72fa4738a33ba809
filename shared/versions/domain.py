"""Versions of a document, such as a rule pack or a feed profile: who may bring one into force, and from which day on.

A version is never edited: the next one replaces it from its own first day on. Which version applies on a business day
follows from that day alone: the newest whose first day has come. Pure: a command and the known versions in, a version
out. The room reads the content and publishes its events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from shared.differences import Change
from shared.errors import Conflict, Forbidden, Invalid

# Somewhere on earth it is already this much later: a version must be known everywhere before its first day anywhere.
EARLIEST_ZONE = timedelta(hours=14)


class VersionStatus(StrEnum):
    """SHIPPED came with the program. PROPOSED waits for a second person. WITHDRAWN was taken back before its first
    day."""

    SHIPPED = "SHIPPED"
    PROPOSED = "PROPOSED"
    ACTIVATED = "ACTIVATED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class Standing(StrEnum):
    """What a version is on a day, and so why an act of that day used it, or not."""

    IN_FORCE = "IN_FORCE"
    REPLACED = "REPLACED"
    COMING = "COMING"
    WAITING = "WAITING"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of versioned document. `noun` begins the codes of its problems, as in pack-version-exists. With
    `four_eyes` a second person decides and the first day lies ahead; without, a version is in force at once."""

    noun: str
    four_eyes: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A version without its content. `number` counts the versions of its document from 1. Persons are role:id."""

    document: str
    number: int
    name: str
    digest: str
    status: str
    effective_from: date
    uploaded_by: str
    uploaded_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A new version of a document, with what it changes. `digest` is the SHA-256 (hex) of its content. Without a `name`
    its number is its name. `effective_from` is its first day, for a kind with four eyes."""

    document: str
    content: str
    digest: str
    changes: Sequence[Change]
    name: str | None = None
    effective_from: date | None = None


class Dated(Protocol):
    """Something that applies from a day on."""

    @property
    def effective_from(self) -> date: ...


D = TypeVar("D", bound=Dated)


def newest_on(versions: Iterable[D], day: date) -> D | None:
    """The version that applies on a day: the newest whose first day has come; of two for one day the later in the list.
    None before the first."""
    best: D | None = None
    for version in versions:
        if version.effective_from <= day and (best is None or version.effective_from >= best.effective_from):
            best = version
    return best


def in_force(known: Iterable[Version], day: date) -> Version | None:
    """The version that acts of a business day are judged by. `known` is in the order of numbers."""
    return newest_on((each for each in known if each.status == VersionStatus.ACTIVATED), day)


def standing(status: str, effective_from: date, day: date, *, is_in_force: bool) -> Standing:
    """What a version is on a day."""
    if is_in_force:
        return Standing.IN_FORCE
    if status == VersionStatus.PROPOSED:
        return Standing.WAITING
    if status in (VersionStatus.REJECTED, VersionStatus.WITHDRAWN):
        return Standing(status)
    return Standing.COMING if effective_from > day else Standing.REPLACED


def upload(kind: Kind, command: Upload, known: Sequence[Version], *, actor: str, now: datetime) -> Version:
    """Propose a version, or bring it into force at once where no second person decides: then the same content again is
    the version that it was. Raises Conflict where its name is taken, Invalid where its first day has begun."""
    if known and not command.changes and not kind.four_eyes:
        return known[-1]
    number = max((each.number for each in known), default=0) + 1
    version = Version(
        document=command.document,
        number=number,
        name=command.name or str(number),
        digest=command.digest,
        status=VersionStatus.PROPOSED,
        effective_from=command.effective_from or now.astimezone(UTC).date(),
        uploaded_by=actor,
        uploaded_at=now,
    )
    if kind.four_eyes:
        check_first_day(version.effective_from, now)
    if any(each.name == version.name for each in known):
        raise name_taken(kind, version.name)
    if kind.four_eyes:
        return version
    return replace(version, status=VersionStatus.ACTIVATED, decided_by=actor, decided_at=now)


def name_taken(kind: Kind, name: str) -> Conflict:
    return Conflict(
        f"{kind.noun}-version-exists",
        f"A version {name!r} of this {kind.noun} exists already: give the new one another name.",
    )


def check_first_day(effective_from: date, now: datetime) -> None:
    """A version comes into force on a day that has begun nowhere yet. Raises Invalid."""
    earliest = _latest_day_on_earth(now) + timedelta(days=1)
    if effective_from < earliest:
        raise Invalid(
            "effective-too-early",
            f"The first day must be {earliest} or later: it must not have begun anywhere.",
        )


def begins_at(effective_from: date) -> datetime:
    """When a first day begins on earth: from then on, its version can be approved no more."""
    return datetime.combine(effective_from, time(), UTC) - EARLIEST_ZONE


def _latest_day_on_earth(now: datetime) -> date:
    return (now.astimezone(UTC) + EARLIEST_ZONE).date()


def approve(kind: Kind, version: Version, known: Iterable[Version], *, actor: str, now: datetime) -> Version:
    """Bring a version into force from its first day on. Raises Conflict, Forbidden, or Invalid where its day has
    begun."""
    _check_decidable(kind, version, actor)
    check_first_day(version.effective_from, now)
    for each in known:
        if each.status == VersionStatus.ACTIVATED and each.effective_from == version.effective_from:
            raise Conflict(
                "day-taken", f"The version {each.name!r} comes into force on the same day. Choose another day."
            )
    return replace(version, status=VersionStatus.ACTIVATED, decided_by=actor, decided_at=now)


def reject(kind: Kind, version: Version, *, actor: str, now: datetime) -> Version:
    """Decide that a version does not come into force. Raises Conflict, Forbidden."""
    _check_decidable(kind, version, actor)
    return replace(version, status=VersionStatus.REJECTED, decided_by=actor, decided_at=now)


def _check_decidable(kind: Kind, version: Version, actor: str) -> None:
    """Four eyes: one decision on a version, by another person than its uploader. Raises Conflict, Forbidden."""
    if version.status != VersionStatus.PROPOSED:
        raise Conflict(f"{kind.noun}-decided", f"This version is {version.status} already.")
    if _subject(version.uploaded_by) == _subject(actor):
        raise Forbidden("four-eyes", "You uploaded this version: a colleague must decide.")


def withdraw(kind: Kind, version: Version, *, actor: str, now: datetime) -> Version:
    """Take a version back, approved or not, before its first day has begun anywhere. One person may do it: the version
    that stays in force was approved by two. Raises Conflict."""
    if version.status not in (VersionStatus.PROPOSED, VersionStatus.ACTIVATED):
        raise Conflict(f"{kind.noun}-decided", f"This version is {version.status} already.")
    if version.status == VersionStatus.ACTIVATED and version.effective_from <= _latest_day_on_earth(now):
        raise Conflict(
            f"{kind.noun}-version-begun", "Its first day has begun. Upload a new version that replaces this one."
        )
    return replace(version, status=VersionStatus.WITHDRAWN, withdrawn_by=actor, withdrawn_at=now)


def _subject(person: str) -> str:
    """The person, in whatever role."""
    return person.partition(":")[2]
