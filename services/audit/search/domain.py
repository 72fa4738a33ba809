"""What may be asked of the trail, and the verdict on a subject's entries. A verdict says "nothing missing" only where
every number from 1 to the subject's count is there and each entry names the hash of the one before."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from shared.errors import Invalid

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
ACTOR_KINDS = ("admin", "caller", "collector", "compliance", "lender", "operator", "service", "supervisor", "system")
GapKind = Literal[
    "number-missing", "entry-missing", "entry-altered", "event-missing", "log-incomplete", "unproven", "not-indexed"
]


@dataclass(frozen=True, slots=True)
class Search:
    """Criteria that all hold. Raises Invalid for a span of time that is reversed or out of range."""

    log: str | None = None
    case_id: UUID | None = None
    debtor_id: UUID | None = None
    visit_id: UUID | None = None
    collector_id: UUID | None = None
    promise_id: UUID | None = None
    types: tuple[str, ...] = ()
    outcome: str | None = None
    rule: str | None = None
    acted_by: str | None = None
    correlation: str | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None

    def __post_init__(self) -> None:
        for name, moment in (("from", self.occurred_from), ("until", self.occurred_until)):
            if moment is not None and not EARLIEST <= moment < LATEST:
                raise Invalid("time-out-of-range", f"`{name}` must be in the years 2000 to 2199.")
        if self.occurred_from and self.occurred_until and self.occurred_from >= self.occurred_until:
            raise Invalid("time-reversed", "`from` must be before `until`: swap them.")

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects that every entry found must name, the rarest kind first."""
        named = (
            ("promise", self.promise_id),
            ("visit", self.visit_id),
            ("debtor", self.debtor_id),
            ("case", self.case_id),
            ("collector", self.collector_id),
        )
        return tuple(f"{kind}:{value}" for kind, value in named if value is not None)

    @property
    def actors(self) -> tuple[str, ...]:
        """How entries may name the wanted actor: `kind:id` as it is, an id alone under each kind."""
        named = self.acted_by or ""
        if not named or named.partition(":")[0] in ACTOR_KINDS:
            return (named,) if named else ()
        return tuple(f"{kind}:{named}" for kind in ACTOR_KINDS)

    def criteria(self) -> dict[str, Any]:
        """Those that are set, by name."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(value) if name == "types" else value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Gap:
    """What is wrong with a subject's entries: where, and in words."""

    kind: GapKind
    log: str
    zh: str
    en: str
    number: int | None = None
    index: int | None = None
    aggregate: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A subject's entry as its index of subjects has it (n, index), with the leaf, where there is one, and the version
    that the event made of its aggregate."""

    n: int
    index: int
    leaf_hash: bytes | None
    leaf: bytes | None
    decoded: Mapping[str, Any] | None
    aggregate: tuple[str, int] | None


@dataclass(slots=True)
class Chain:
    """The walk along one subject's entries in one log, in the order of their numbers. `counted` is how many there must
    be, by the log's own count; `size` is that of the tree as of which it is judged. `walked` are the indexes of its
    entries, `intact` of those without a fault; `versions` the newest of the aggregates that they tell of; `visits` the
    visits that they name."""

    log: str
    ref: str
    size: int
    counted: int
    intact: set[int] = field(default_factory=set)
    walked: set[int] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    visits: set[str] = field(default_factory=set)
    _last_n: int = 0
    _last_hash: str | None = None
    _unsure: bool = False

    def take(self, entries: Iterable[Numbered]) -> None:
        """Go on with further entries."""
        for entry in entries:
            self._missing(self._last_n + 1, entry.n)
            self._check(entry)
            self.walked.add(entry.index)
            self._last_n = entry.n

    def finish(self) -> None:
        """No more entries: numbers up to the count that did not come are missing."""
        self._missing(self._last_n + 1, self.counted + 1)

    def _missing(self, first: int, until: int) -> None:
        if first >= until:
            return
        which = f"{first}" if first + 1 == until else f"{first}–{until - 1}"
        self.gaps.append(
            Gap(
                "number-missing",
                self.log,
                f"日誌 {self.log} 中，{self.ref} 的第 {which} 筆不見了。",
                f"Number {which} of {self.ref} is missing from log {self.log}.",
                number=first,
            )
        )
        self._unsure = True

    def _check(self, entry: Numbered) -> None:
        if entry.leaf is None:
            self._broken("entry-missing", entry, "不見了", "is gone")
        elif sha256(b"\0" + entry.leaf).digest() != entry.leaf_hash or entry.decoded is None:
            self._broken("entry-altered", entry, "與其雜湊不符", "does not fit its hash")
        elif not self._linked(entry, entry.decoded):
            self._broken("entry-altered", entry, "沒有接在前一筆之後", "does not follow from the one before")
        else:
            self.intact.add(entry.index)
            self._last_hash, self._unsure = (entry.leaf_hash or b"").hex(), False
            self.visits |= {each["ref"] for each in entry.decoded["subjects"] if each["ref"].startswith("visit:")}
            if entry.aggregate is not None:
                aggregate, version = entry.aggregate
                self.versions[aggregate] = max(version, self.versions.get(aggregate, 0))

    def _linked(self, entry: Numbered, leaf: Mapping[str, Any]) -> bool:
        """Whether the leaf itself says that it is this subject's n-th, after the one that was seen before it."""
        named = next((each for each in leaf.get("subjects", ()) if each["ref"] == self.ref), None)
        return named is not None and named["n"] == entry.n and (self._unsure or named["prev"] == self._last_hash)

    def _broken(self, kind: GapKind, entry: Numbered, zh: str, en: str) -> None:
        self.gaps.append(
            Gap(
                kind,
                self.log,
                f"日誌 {self.log} 的第 {entry.index} 號（{self.ref} 的第 {entry.n} 筆）{zh}。",
                f"Entry {entry.index} of log {self.log} (number {entry.n} of {self.ref}) {en}.",
                number=entry.n,
                index=entry.index,
            )
        )
        self._unsure = True


def event_missing(log: str, aggregate: str, version: int) -> Gap:
    """An event that its service counted and that never reached the trail."""
    return Gap(
        "event-missing",
        log,
        f"{aggregate} 的第 {version} 個事件從未進入存證（日誌 {log}）。",
        f"Event {version} of {aggregate} never reached the trail (log {log}).",
        aggregate=aggregate,
        version=version,
    )


def not_indexed(log: str, ref: str, indexes: Collection[int]) -> Gap:
    """Entries that an earlier release wrote without a subject whom they concern: a search by it cannot find them."""
    count, first = len(indexes), min(indexes)
    return Gap(
        "not-indexed",
        log,
        f"日誌 {log} 有 {count} 筆舊版存證與 {ref} 有關而未標示（首筆為第 {first} 號）；請改以外訪或行為人查詢。",
        f"{count} older entries of log {log} concern {ref} and do not name it (the first is {first}): search by visit, "
        "or by who acted.",
        index=first,
    )


def verdict_words(found: int, expected: int, gaps: Sequence[Gap]) -> tuple[str, str]:
    """The verdict in a sentence, zh and en."""
    if not gaps:
        return f"{expected} 筆中有 {found} 筆，沒有缺漏。", f"{found} of {expected}, nothing missing."
    zh = "".join(gap.zh for gap in gaps[:3]) + ("……" if len(gaps) > 3 else "")
    en = " ".join(gap.en for gap in gaps[:3]) + (" …" if len(gaps) > 3 else "")
    return f"{expected} 筆中有 {found} 筆，不完整：{zh}", f"{found} of {expected}, NOT complete: {en}"
