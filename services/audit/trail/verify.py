"""Verification: everything that the trail claims, derived again from the entries' bytes alone.

It reads the database, asks no service, changes nothing, and names the first thing that is wrong in each log.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.audit.trail.canonical import NotCanonical
from services.audit.trail.entries import aggregate_of, instant, rules_of
from services.audit.trail.leaf import Leaf, LeafTooLarge, NotALeaf, decode
from services.audit.trail.merkle import Frontier, leaf_hash
from services.audit.trail.note import Checkpoint, NoteInvalid, Verifier, open_note
from services.audit.trail.tables import CHECKPOINT, ENTRY, ENTRY_RULE, ENTRY_SUBJECT, HEAD, TILE
from services.audit.trail.tiles import TILE_WIDTH, tile_above, unpack

PAGE_ROWS = 2_000
Progress = Callable[[int, int], object]


class TrailMissing(Exception):
    """There is no trail to verify; the message says where it was looked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: at which entry, of which kind, in words."""

    index: int
    kind: str
    detail: str


@dataclass(slots=True)
class LogVerification:
    log: str
    size: int
    root: str
    checkpoint_size: int
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Verification:
    logs: list[LogVerification]

    @property
    def ok(self) -> bool:
        return not any(log.problems for log in self.logs)

    def to_json(self) -> dict[str, Any]:
        """The document of `doorstep trail verify --json`."""
        return {
            "ok": self.ok,
            "logs": [
                {
                    "log": log.log,
                    "size": log.size,
                    "root": log.root,
                    "checkpoint_size": log.checkpoint_size,
                    "problems": [
                        {"index": problem.index, "kind": problem.kind, "detail": problem.detail}
                        for problem in log.problems
                    ],
                }
                for log in self.logs
            ],
        }


async def verify(
    url: str,
    *,
    verifiers: Sequence[Verifier],
    origin: str,
    against: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Verify every log of a database (SQLAlchemy URL). `against`: a checkpoint kept elsewhere, to which its log is
    held, too. `progress` is called with entries done and in all. Raises TrailMissing."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").is_file():
        raise TrailMissing(f"There is no trail at {parsed.database}: name the data folder with --data.")
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            total = await connection.scalar(select(func.count()).select_from(ENTRY)) or 0
            names = set((await connection.execute(select(HEAD.c.log_id))).scalars())
            names |= set((await connection.execute(select(ENTRY.c.log_id).distinct())).scalars())
            names |= set((await connection.execute(select(CHECKPOINT.c.log_id).distinct())).scalars())
            logs, done = [], 0
            for name in sorted(names):
                check = _LogCheck(connection, name, f"{origin}/{name}", verifiers, against)
                logs.append(await check.run(partial(_report, progress, done, total)))
                done += logs[-1].size
            return Verification(logs)
    except (OperationalError, ProgrammingError, OSError) as error:
        raise TrailMissing(f"The trail's database cannot be read ({type(error).__name__}).") from error
    finally:
        await engine.dispose()


def _report(progress: Progress, before: int, total: int, count: int) -> None:
    progress(before + count, total)


class _LogCheck:
    """The verification of one log, entry by entry."""

    def __init__(
        self, connection: AsyncConnection, log: str, origin: str, verifiers: Sequence[Verifier], against: str | None
    ) -> None:
        self._connection = connection
        self._log = log
        self._origin = origin
        self._verifiers = verifiers
        self._against = against
        self._frontier = Frontier()
        self._hashes: list[bytes] = []
        self._roots: dict[int, bytes] = {}
        self._subjects: dict[str, tuple[int, bytes]] = {}
        self._subject_rows: set[tuple[str, int, int]] = set()
        self._rule_rows: set[tuple[str, int]] = set()
        self._problem: Problem | None = None
        self._suspicion: Problem | None = None

    def _note(self, index: int, kind: str, detail: str) -> None:
        """Keep the first problem: what follows from it would only confuse."""
        if self._problem is None:
            self._problem = Problem(index, kind, detail)

    async def run(self, progress: Callable[[int], object]) -> LogVerification:
        stored = await self._connection.execute(
            select(CHECKPOINT.c.size, CHECKPOINT.c.note)
            .where(CHECKPOINT.c.log_id == self._log)
            .order_by(CHECKPOINT.c.size)
        )
        checkpoints = stored.all()
        signed_sizes = {size for size, _ in checkpoints}
        expected = await self._level_zero()
        async for row in self._entries():
            self._take(row, expected)
            if self._frontier.size in signed_sizes:
                self._roots[self._frontier.size] = self._frontier.root()
            if self._frontier.size % PAGE_ROWS == 0:
                progress(self._frontier.size)
        progress(self._frontier.size)
        self._settle_suspicion(checkpoints)
        await self._check_subjects()
        await self._check_rules()
        await self._check_tiles()
        self._check_checkpoints(checkpoints)
        await self._check_head()
        self._check_against()
        return LogVerification(
            self._log,
            self._frontier.size,
            self._frontier.root().hex(),
            max(signed_sizes, default=0),
            [self._problem] if self._problem else [],
        )

    async def _entries(self) -> AsyncIterator[Row[Any]]:
        after = -1
        while True:
            rows = (
                await self._connection.execute(
                    select(ENTRY)
                    .where(ENTRY.c.log_id == self._log, ENTRY.c.idx > after)
                    .order_by(ENTRY.c.idx)
                    .limit(PAGE_ROWS)
                )
            ).all()
            if not rows:
                return
            for row in rows:
                yield row
            after = rows[-1].idx

    async def _level_zero(self) -> list[bytes]:
        """The leaf hashes that the full tiles remember: a second witness of what stood where."""
        tiles = await self._connection.execute(
            select(TILE.c.hashes).where(TILE.c.log_id == self._log, TILE.c.level == 0).order_by(TILE.c.n)
        )
        hashes: list[bytes] = []
        for tile in tiles.scalars():
            try:
                hashes += unpack(tile)
            except ValueError:
                break  # found again, and named, when the tiles are checked
        return hashes

    def _take(self, row: Row[Any], remembered: list[bytes]) -> None:
        index, digest = self._frontier.size, leaf_hash(row.leaf)
        if row.idx != index and self._problem is None:
            self._note(index, "entry-missing", f"entry {index} is not there; the next one is {row.idx}")
        if digest != row.leaf_hash:
            self._note(index, *self._altered(index, digest, remembered))
        elif index < len(remembered) and digest != remembered[index] and self._suspicion is None:
            self._suspicion = Problem(index, *self._displaced(index, digest, remembered))
        self._check_leaf(row, index, digest)
        self._frontier.append(digest)
        self._hashes.append(digest)

    def _altered(self, index: int, digest: bytes, remembered: list[bytes]) -> tuple[str, str]:
        if digest in remembered[index + 1 :]:
            return "order-changed", "the bytes here are those of a later entry"
        return "leaf-altered", "the bytes are not those that were hashed when the entry was added"

    def _displaced(self, index: int, digest: bytes, remembered: list[bytes]) -> tuple[str, str]:
        """Leaf and hash agree with each other, but not with what the tile remembers: one of the two is forged."""
        if digest in remembered[index + 1 :]:
            following = remembered[index + 1] if index + 1 < len(remembered) else None
            kind = "entry-missing" if digest == following else "order-changed"
            return kind, "a later entry stands here"
        return "leaf-altered", "the tile remembers another entry here"

    def _settle_suspicion(self, checkpoints: Sequence[Row[int, str]]) -> None:
        """Entry or tile: who lies is told by a checkpoint over the entry. If it signs the entries, the tile is forged,
        which is named when the tiles are checked."""
        suspect = self._suspicion
        if suspect is None or any(
            self._signs_entries(size, note) for size, note in checkpoints if size > suspect.index
        ):
            return
        if self._problem is None or suspect.index <= self._problem.index:
            self._problem = suspect

    def _signs_entries(self, size: int, note: str) -> bool:
        try:
            return Checkpoint.parse(open_note(note, *self._verifiers)).root == self._roots.get(size)
        except NoteInvalid:
            return False

    def _check_leaf(self, row: Row[Any], index: int, digest: bytes) -> None:
        try:
            leaf = decode(row.leaf)
        except (NotALeaf, NotCanonical, LeafTooLarge):
            self._note(index, "leaf-altered", "the bytes are no leaf")
            return
        self._check_projections(row, leaf, index)
        self._rule_rows.update((rule, index) for rule in rules_of(leaf.data))
        for subject in leaf.subjects:
            count, last = self._subjects.get(subject.ref, (0, None))
            if (subject.n, subject.prev) != (count + 1, last):
                kind, detail = self._subject_gap(subject.n, count)
                self._note(index, kind, detail)
            self._subjects[subject.ref] = (subject.n, digest)
            self._subject_rows.add((subject.ref, subject.n, index))

    def _subject_gap(self, n: int, count: int) -> tuple[str, str]:
        if n > count + 1:
            return "entry-missing", f"a subject's entry number {count + 1} is missing before this one"
        if n <= count:
            return "entry-inserted", f"a subject has an entry number {n} already"
        return "order-changed", "a subject's entry before this one is another than it was"

    def _check_projections(self, row: Row[Any], leaf: Leaf, index: int) -> None:
        """The columns to search by say what the leaf says."""
        case_id = leaf.data.get("case_id")
        of_leaf = (
            leaf.log,
            str(leaf.event_id),
            leaf.type,
            f"{leaf.actor.kind}:{leaf.actor.ref}",
            leaf.correlation_id,
            None if case_id is None else str(case_id),
            leaf.outcome,
            *aggregate_of(leaf),
        )
        columns = ["log_id", "event_id", "type", "actor", "correlation_id", "case_id"]
        columns += ["outcome", "aggregate_id", "aggregate_version"]
        of_row = [getattr(row, column) for column in columns]
        for name, ours, theirs in zip(columns, of_row, of_leaf, strict=True):
            if ours != theirs:
                self._note(index, "projection-differs", f"the column {name} does not say what the leaf says")
        for column, moment in (("occurred_at", leaf.occurred_at), ("recorded_at", leaf.recorded_at)):
            if getattr(row, column) != instant(moment):
                self._note(index, "projection-differs", f"the column {column} does not say what the leaf says")

    async def _check_subjects(self) -> None:
        """The index of subjects holds what the leaves say, no more and no less."""
        rows = await self._connection.execute(
            select(ENTRY_SUBJECT.c.ref, ENTRY_SUBJECT.c.n, ENTRY_SUBJECT.c.idx).where(
                ENTRY_SUBJECT.c.log_id == self._log
            )
        )
        stored = {(row.ref, row.n, row.idx) for row in rows}
        for _, _, index in sorted(stored ^ self._subject_rows, key=lambda item: item[2])[:1]:
            if index >= self._frontier.size:
                self._note(self._frontier.size, "tail-cut", f"the index of subjects knows of entry {index}")
            self._note(index, "projection-differs", "the index of subjects does not say what the leaf says")

    async def _check_rules(self) -> None:
        """The index of rules holds what the leaves say, no more and no less."""
        rows = await self._connection.execute(
            select(ENTRY_RULE.c.rule_id, ENTRY_RULE.c.idx).where(ENTRY_RULE.c.log_id == self._log)
        )
        stored = {(row.rule_id, row.idx) for row in rows}
        for _, index in sorted(stored ^ self._rule_rows, key=lambda item: item[1])[:1]:
            self._note(index, "projection-differs", "the index of rules does not say what the leaf says")

    async def _check_tiles(self) -> None:
        """Every full tile is there and holds the hashes that follow from the entries."""
        rows = await self._connection.execute(select(TILE).where(TILE.c.log_id == self._log))
        stored = {(row.level, row.n): row.hashes for row in rows}
        level, hashes = 0, self._hashes
        while len(hashes) >= TILE_WIDTH:
            tiles = [b"".join(hashes[n : n + TILE_WIDTH]) for n in range(0, len(hashes) - TILE_WIDTH + 1, TILE_WIDTH)]
            for n, tile in enumerate(tiles):
                first = n * TILE_WIDTH ** (level + 1)
                if stored.pop((level, n), None) != tile:
                    self._note(first, "tile-differs", f"tile {level}/{n} is not that of the entries")
            level, hashes = level + 1, _roots(tiles)
        for extra_level, n in sorted(stored)[:1]:
            first = n * TILE_WIDTH ** (extra_level + 1)
            self._note(min(first, self._frontier.size), "tail-cut", f"tile {extra_level}/{n} knows of more entries")

    def _check_checkpoints(self, rows: Sequence[Row[int, str]]) -> None:
        for size, note in rows:
            try:
                signed = Checkpoint.parse(open_note(note, *self._verifiers))
            except NoteInvalid as invalid:
                self._note(size, "signature-bad", f"the checkpoint of size {size} is not ours: {invalid.reason}")
                continue
            if signed.size != size or signed.origin != self._origin:
                self._note(size, "checkpoint-replayed", f"a checkpoint of size {signed.size} stands here")
            elif size > self._frontier.size:
                self._note(
                    self._frontier.size, "tail-cut", f"{size} entries were signed, {self._frontier.size} are here"
                )
            elif self._roots.get(size) != signed.root and size:
                self._note(size, "root-differs", f"the tree of {size} entries is not the one that was signed")

    async def _check_head(self) -> None:
        head = (
            await self._connection.execute(select(HEAD.c.size, HEAD.c.root).where(HEAD.c.log_id == self._log))
        ).first()
        size = self._frontier.size
        if head is None:
            self._note(size, "root-differs", "the log has no head")
        elif head.size > size:
            self._note(size, "tail-cut", f"the head speaks of {head.size} entries, {size} are here")
        elif head.size < size:
            self._note(head.size, "entry-inserted", f"{size} entries are here, the head speaks of {head.size}")
        elif head.root != self._frontier.root():
            self._note(size, "root-differs", "the head's root is not that of the entries")

    def _check_against(self) -> None:
        """Hold the log to a checkpoint that was kept elsewhere: a folder restored as a whole is found only so."""
        if self._against is None:
            return
        try:
            signed = Checkpoint.parse(open_note(self._against, *self._verifiers))
        except NoteInvalid as invalid:
            self._note(0, "signature-bad", f"the checkpoint to compare with is not ours: {invalid.reason}")
            return
        if signed.origin != self._origin:
            return
        if signed.size > self._frontier.size:
            detail = f"{signed.size} entries were signed elsewhere, {self._frontier.size} are here"
            self._note(self._frontier.size, "rolled-back", detail)
            return
        frontier = Frontier()
        for digest in self._hashes[: signed.size]:
            frontier.append(digest)
        if frontier.root() != signed.root:
            self._note(signed.size, "forked", f"the tree of {signed.size} entries is not the one signed elsewhere")


def _roots(tiles: Sequence[bytes]) -> list[bytes]:
    above: list[bytes] = []
    for start in range(0, len(tiles), TILE_WIDTH):
        above += unpack(tile_above(tiles[start : start + TILE_WIDTH]))
    return above
