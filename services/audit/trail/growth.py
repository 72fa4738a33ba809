"""What a batch of drafts makes of the logs: each entry at its index, counted for its subjects, held to its aggregate.
Pure, and the one place where order is given: what was there before comes in as `Known`, rows for the tables come out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from services.audit.tlog.leaf import LEAF_BYTES_MAX, LeafTooLarge, instant
from services.audit.tlog.leaf_writer import place
from services.audit.tlog.merkle import Frontier
from services.audit.trail import entries
from services.audit.trail.entries import Draft
from shared.bus.transport import Record

SubjectKey = tuple[str, str]
Row = tuple[str | int | bytes | None, ...]


@dataclass(slots=True)
class Known:
    """What the trail holds already of what a batch is about: the tree of each log, client digests of event ids that are
    taken, how often each subject came and with which leaf hash last, the newest version of each aggregate."""

    frontiers: dict[str, Frontier]
    taken: dict[tuple[str, str], bytes] = field(default_factory=dict)
    subjects: dict[SubjectKey, tuple[int, bytes]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


class Alarm(NamedTuple):
    """An entry that somebody must look at: its type, its log, and the aggregate or the record's topic."""

    type: str
    log: str
    about: str


class Growth:
    """What a batch adds. Rows are in the order of their tables' columns."""

    def __init__(self, known: Known, now: datetime) -> None:
        self.known = known
        self.old_sizes = {log: frontier.size for log, frontier in known.frontiers.items()}
        self.old_subjects = frozenset(known.subjects)
        self.old_aggregates = frozenset(known.versions)
        self.new_hashes: dict[str, list[bytes]] = {log: [] for log in known.frontiers}
        self.entries: list[Row] = []
        self.subjects: list[Row] = []
        self.rules: list[Row] = []
        self.skipped: list[Row] = []
        self.subject_heads: dict[SubjectKey, tuple[int, bytes]] = {}
        self.versions: dict[str, int] = {}
        self.alarms: list[Alarm] = []
        self._now = now
        self._recorded_at = instant(now)

    @property
    def logs(self) -> list[str]:
        """The logs that have grown."""
        return [log for log, hashes in self.new_hashes.items() if hashes]

    def take(self, new: Iterable[tuple[Record, Draft]]) -> None:
        """Add what is new, in this order. The same event again makes no entry; that its record came is noted."""
        taken = self.known.taken
        for record, draft in new:
            digest = taken.get((draft.log, draft.event_id))
            if digest == draft.client_digest:
                self.skipped.append((*record.partition, record.offset, draft.log, draft.event_id))
                continue
            if digest is not None:
                draft = entries.conflict(record, draft, self._now)
            self._take(record, draft)

    def _take(self, record: Record, draft: Draft) -> None:
        try:
            self.add(draft)
        except LeafTooLarge as error:
            draft = entries.rejected(record, str(error), self._now)
            self.add(draft)
        self.known.taken[draft.log, draft.event_id] = draft.client_digest
        if draft.type in entries.ALARMS:
            self.alarms.append(Alarm(draft.type, draft.log, record.partition.topic))
        if draft.aggregate is not None and draft.version is not None:
            self._hold_to_aggregate(record, draft, draft.aggregate, draft.version)

    def _hold_to_aggregate(self, record: Record, draft: Draft, aggregate: str, version: int) -> None:
        """A version that is not the next one shows events that never came. One that comes late is simply taken."""
        last = self.known.versions.get(aggregate, 0)
        if version <= last:
            return
        self.known.versions[aggregate] = self.versions[aggregate] = version
        if version > last + 1:
            self.add(entries.gap(record, draft, last, self._now))
            self.alarms.append(Alarm(entries.GAP, draft.log, aggregate))

    def add(self, draft: Draft) -> None:
        """Put an entry at the end of its log. Raises LeafTooLarge, and has then changed nothing."""
        log, known = draft.log, self.known.subjects
        counted = []
        for ref in draft.refs:
            before = known.get((log, ref))
            counted.append((ref, before[0] + 1, before[1]) if before else (ref, 1, None))
        leaf = place(draft.leaf, self._recorded_at, counted)
        if len(leaf) > LEAF_BYTES_MAX:
            raise LeafTooLarge(len(leaf))
        digest = sha256(b"\x00" + leaf).digest()
        frontier = self.known.frontiers[log]
        index = frontier.size
        for ref, n, _ in counted:
            known[log, ref] = self.subject_heads[log, ref] = (n, digest)
            self.subjects.append((log, ref, n, index))
        for rule in draft.rules:
            self.rules.append((log, rule, index))
        self.entries.append(
            (
                log,
                index,
                digest,
                leaf,
                draft.event_id,
                draft.client_digest,
                draft.type,
                draft.case_id,
                draft.actor,
                draft.occurred_at,
                self._recorded_at,
                draft.correlation_id,
                draft.outcome,
                draft.aggregate,
                draft.version,
            )
        )
        frontier.append(digest)
        self.new_hashes[log].append(digest)
