"""The verdict on one log: what its sections derived and doubted, held to its tiles, head, subjects and checkpoints.

Its one rule: of two witnesses that contradict each other, a signature of ours decides who lies; where nobody signed,
the head does.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from services.audit.attestations.tails import UNSIGNED_SECONDS_MAX
from services.audit.tlog.leaf import NotALeaf
from services.audit.tlog.merkle import subtrees
from services.audit.tlog.note import Verifier
from services.audit.tlog.tiles import TILE_WIDTH
from services.audit.trail.statements import Restoration
from services.audit.verification.chains import SUM_MODULUS, Chains, token
from services.audit.verification.domain import (
    CAUSES,
    Kind,
    LogVerification,
    Problem,
    first_causes,
)
from services.audit.verification.reading import read_leaf
from services.audit.verification.scan import Doubt, Scanned
from services.audit.verification.signatures import Elsewhere, Signed, read_checkpoint
from services.audit.verification.source import Source
from services.audit.verification.tree import Tree, split

DOUBTS_LOOKED_UP_MAX = 20


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a log's entries are looked at: `rows` are there, those below `stop` were scanned, `strange` is the first
    one outside of that."""

    rows: int
    stop: int
    strange: int | None


@dataclass(frozen=True, slots=True)
class Head:
    size: int
    root: bytes
    frontier: bytes


class Judge:
    """`known`: some table of the database knows this log, not only a checkpoint that was kept elsewhere."""

    def __init__(
        self,
        source: Source,
        log: str,
        origin: str,
        extent: Extent,
        sections: Sequence[Scanned],
        verifiers: Sequence[Verifier],
        *,
        known: bool,
        now: datetime,
        given_up: Sequence[Restoration] = (),
    ) -> None:
        self._now = now
        self._given_up = given_up
        self.notes: list[str] = []
        self._source = source
        self._log = log
        self._origin = origin
        self._extent = extent
        self._sections = sections
        self._verifiers = verifiers
        self._known = known
        self._tree = Tree(sections)
        self._problems: list[Problem] = [problem for section in sections for problem in section.problems]
        self._head: Head | None = None
        self._signed: list[Signed] = []
        self._unsigned = False

    async def judge(self, *, key: bytes | None, elsewhere: Sequence[Elsewhere] = ()) -> LogVerification:
        """Everything. `key` is that of the chains' sums; without it neither chains nor indexes are looked at."""
        await self._load()
        if self._known:
            await self._settle_doubts()
            await self._compare_tiles()
            self._compare_checkpoints()
            self._compare_head()
            if key is not None:
                await self._compare_indexes()
                await self._compare_chains(key)
            self._compare_roots()
            await self._compare_ages()
        for kept in elsewhere:
            self._compare_elsewhere(kept)
        size = self._tree.size if self._tree.broken_at is not None else self._extent.stop
        root = self._tree.root(size)
        newest = max((signed.size for signed in self._signed if signed.root), default=0)
        return LogVerification(
            self._log, self._extent.rows, root.hex() if root else "", newest, first_causes(self._problems)
        )

    async def _load(self) -> None:
        log, stop = self._log, self._extent.stop
        rows = await self._source.all("SELECT size, root, frontier FROM head WHERE log_id = $1", log)
        self._head = Head(*rows[0]) if rows else None
        outside = await self._source.all(
            "SELECT size, note FROM checkpoint WHERE log_id = $1 AND (size > $2 OR size <= 0) ORDER BY size", log, stop
        )
        self._signed = [signed for section in self._sections for signed in section.checkpoints]
        self._signed += [read_checkpoint(size, note, self._origin, self._verifiers) for size, note in outside]

    def _note(self, index: int, kind: Kind, detail: str) -> None:
        self._problems.append(Problem(index, kind, detail))

    # Which entries are the true ones

    @cached_property
    def _agreed(self) -> list[int]:
        """The sizes at which a signature says what the leaves say."""
        return sorted(signed.size for signed in self._signed if signed.root and signed.root == self._root_hex(signed))

    @cached_property
    def _refuted(self) -> list[int]:
        """The sizes at which a signature says something else."""
        return sorted(
            signed.size
            for signed in self._signed
            if signed.root and signed.root != (ours := self._root_hex(signed)) and ours is not None
        )

    def _root_hex(self, signed: Signed) -> str | None:
        root = self._tree.root(signed.size)
        return None if root is None else root.hex()

    def _is_true(self, index: int) -> bool:
        """Whether the entry is the one that was signed; or, where nobody signed, that the head speaks of."""
        if any(size > index for size in self._agreed):
            return True
        if any(size > index for size in self._refuted) or self._head is None:
            return False
        return self._tree.root(self._head.size) == self._head.root

    async def _settle_doubts(self) -> None:
        doubts = [doubt for section in self._sections for doubt in section.doubts]
        elsewhere = await self._found_elsewhere(doubts[:DOUBTS_LOOKED_UP_MAX])
        for doubt in doubts:
            if self._is_true(doubt.index):
                self._settle_true(doubt)
                continue
            kind, detail = _what_happened(doubt, moved=doubt.derived in elsewhere)
            self._note(doubt.index, kind, detail)
            if kind in (Kind.ENTRY_MISSING, Kind.ENTRY_INSERTED):
                break  # all that follow stand at another place only because of this one

    def _settle_true(self, doubt: Doubt) -> None:
        if doubt.column != doubt.derived:
            self._note(doubt.index, Kind.PROJECTION_DIFFERS, "the column leaf_hash is not the hash of the leaf")
        if doubt.tile not in (None, doubt.derived):
            tile = doubt.index // TILE_WIDTH
            self._note(doubt.index, Kind.TILE_DIFFERS, f"tile 0/{tile} does not hold the hash of this entry")

    async def _found_elsewhere(self, doubts: Sequence[Doubt]) -> set[str]:
        """Those hashes that another place remembers as its own: entries that were moved."""
        moved = set()
        for doubt in doubts:
            rows = await self._source.all(
                "SELECT idx FROM entry WHERE log_id = $1 AND leaf_hash = $2 AND idx <> $3 LIMIT 1",
                self._log, bytes.fromhex(doubt.derived), doubt.index,
            )  # fmt: skip
            if rows:
                moved.add(doubt.derived)
        if doubts:
            wanted = {bytes.fromhex(doubt.derived): doubt for doubt in doubts}
            query = "SELECT n, hashes FROM tile WHERE log_id = $1 AND level = 0 ORDER BY n"
            async for page in self._source.pages(query, self._log):
                for n, hashes in page:
                    for at, digest in enumerate(split(hashes)):
                        if digest in wanted and n * TILE_WIDTH + at != wanted[digest].index:
                            moved.add(digest.hex())
        return moved

    # What stands beside the entries

    async def _compare_tiles(self) -> None:
        rows = await self._source.all("SELECT level, n, hashes FROM tile WHERE log_id = $1 AND level <> 0", self._log)
        upper = {(level, n): hashes for level, n, hashes in rows}
        self._problems += self._tree.compare_upper(upper)
        if self._tree.broken_at is not None:
            return
        full = self._extent.stop // TILE_WIDTH
        extra = await self._source.all(
            "SELECT level, n FROM tile WHERE log_id = $1 AND level = 0 AND (n >= $2 OR n < 0) ORDER BY n LIMIT 1",
            self._log, full,
        )  # fmt: skip
        extra = [*extra, *(place for place in sorted(upper) if place[0] < 0 or not self._tree.has_tile(*place))]
        for level, n in extra[:1]:
            self._note(self._extent.stop, Kind.TAIL_CUT, f"tile {level}/{n} knows of more entries")

    def _compare_checkpoints(self) -> None:
        self._problems += [signed.problem for signed in self._signed if signed.problem]
        stop = self._extent.stop
        longer = [signed.size for signed in self._signed if signed.root and signed.size > stop]
        if longer and self._extent.strange is None:
            self._note(stop, Kind.TAIL_CUT, f"{max(longer)} entries were signed, {stop} are here")

    def _compare_roots(self) -> None:
        """After all else, which may know better than the roots which entry it is."""
        if not self._refuted:
            return
        size = self._refuted[0]
        first, last = self._suspects(size)
        known = [problem.index for problem in self._problems if first <= problem.index < last]
        detail = f"the tree of {size} entries is not the one that was signed"
        if last - first < size:
            detail += f": one of the entries {first} to {last - 1} is another than it was"
        self._note(min(known, default=first), Kind.ROOT_DIFFERS, detail)

    def _suspects(self, size: int) -> tuple[int, int]:
        """Entries [first, last) of which one must be wrong, since the tree of this size is: as few as can be told."""
        first = max((agreed for agreed in self._agreed if agreed < size), default=0)
        head, ours = self._head, self._tree.frontier(self._head.size) if self._head else None
        if head is None or ours is None or head.size < size:
            return first, size
        for (level, n), mine, theirs in zip(subtrees(0, head.size), ours, split(head.frontier), strict=False):
            if mine != theirs:
                return max(first, n << level), min(size, (n + 1) << level)
        return first, size

    def _compare_head(self) -> None:
        extent, head = self._extent, self._head
        if extent.strange is not None:
            self._note(extent.strange, Kind.ENTRY_INSERTED, f"the head speaks of {head.size if head else 0} entries")
        if head is None:
            self._note(extent.stop, Kind.ROOT_DIFFERS, "the log has no head")
        elif head.size > extent.stop:
            detail = f"the head speaks of {head.size} entries, {extent.rows} are here"
            self._note(extent.stop, Kind.TAIL_CUT, detail)
        elif (root := self._tree.root(head.size)) is not None and not self._refuted:
            if head.root != root:
                self._note(head.size, Kind.ROOT_DIFFERS, "the head's root is not that of the entries")
            elif split(head.frontier) != self._tree.frontier(head.size):
                self._note(head.size, Kind.ROOT_DIFFERS, "the head's right edge is not that of the entries")

    async def _compare_indexes(self) -> None:
        """Rows of the indexes that speak of entries which were not scanned."""
        stop = self._extent.stop
        for table, name in (("entry_subject", "subjects"), ("entry_rule", "rules")):
            query = f"SELECT idx FROM {table} WHERE log_id = $1 AND (idx >= $2 OR idx < 0) ORDER BY idx LIMIT 1"
            for (index,) in await self._source.all(query, self._log, stop):
                if self._extent.strange is not None and index >= stop:
                    continue  # of an entry that is not the log's: that one is named
                kind = Kind.PROJECTION_DIFFERS if index < 0 else Kind.TAIL_CUT
                self._note(min(index, stop), kind, f"the index of {name} knows of entry {index}")

    async def _compare_chains(self, key: bytes) -> None:
        """Every subject's entries follow one another, and its head knows the last of them."""
        wrong = min((problem.index for problem in self._problems if problem.kind in CAUSES), default=None)
        found = [problem for section in self._sections for problem in section.chain_problems]
        if wrong is not None:
            self._problems += [problem for problem in found if problem.index < wrong]
            return
        total = sum(section.chain_sum for section in self._sections)
        query = "SELECT ref, n, prev FROM subject_head WHERE log_id = $1"
        async for page in self._source.pages(query, self._log):
            total -= sum(token(key, ref, n, prev) for ref, n, prev in page)
        if total % SUM_MODULUS or found:
            self._problems += await self._broken_chains()

    async def _broken_chains(self) -> list[Problem]:
        """Go through all leaves once more, in order, to name the entries at which chains break."""
        chains = Chains(whole=True)
        query = "SELECT idx, leaf, leaf_hash FROM entry WHERE log_id = $1 AND idx >= 0 AND idx < $2 ORDER BY idx"
        async for page in self._source.pages(query, self._log, self._extent.stop):
            for index, leaf, digest in page:
                with suppress(NotALeaf):
                    chains.take(index, digest.hex(), read_leaf(leaf).subjects)
        problems, last = chains.problems, dict(chains.last)
        rows = await self._source.all("SELECT ref, n, prev FROM subject_head WHERE log_id = $1", self._log)
        detail = "the head of a subject does not say what its last entry says"
        for ref, n, prev in rows:
            link = last.pop(ref, None)
            if link is None:
                problems.append(Problem(self._extent.stop, Kind.PROJECTION_DIFFERS, "a subject's head has no entry"))
            elif link[:2] != (n, prev.hex()):
                problems.append(Problem(link[2], Kind.PROJECTION_DIFFERS, detail))
        problems += [Problem(link[2], Kind.PROJECTION_DIFFERS, detail) for link in last.values()]
        return problems or [Problem(self._extent.stop, Kind.PROJECTION_DIFFERS, "the heads of the subjects do not fit")]

    def _compare_elsewhere(self, kept: Elsewhere) -> None:
        """Check the log against a checkpoint that was kept elsewhere: a folder restored as a whole is found only so."""
        largest = max((signed.size for signed in self._signed), default=0)
        if kept.problem:
            self._problems.append(kept.problem)
        elif (kept.size, kept.root.hex()) in {(signed.size, signed.root) for signed in self._signed}:
            return  # the very one that is here, against which the log was checked
        elif problem := self.contradiction(kept.size, kept.root, "signed elsewhere"):
            if given_up := next((each for each in self._given_up if each.covers(kept.size)), None):
                self.notes.append(
                    f"{self._log}: a checkpoint of {kept.size} entries is of a history that was given up at "
                    f"{given_up.size} entries; entry {given_up.index} of the operator's log says so."
                )
            else:
                self._problems.append(problem)
        elif kept.size > largest and not self._unsigned:
            detail = f"a checkpoint of {kept.size} entries was copied, and the database has none of them: removed?"
            self._note(largest, Kind.UNSIGNED, detail)

    def contradiction(self, size: int, root: bytes, where: str) -> Problem | None:
        """What is wrong with the log if it had so many entries with this root, as was `where`. None where that holds,
        or where the log is broken before, which is named by itself."""
        stop = self._extent.stop
        if size > stop:
            return Problem(stop, Kind.ROLLED_BACK, f"{size} entries were {where}, {stop} are here")
        if (ours := self._tree.root(size)) is not None and ours != root:
            return Problem(size, Kind.FORKED, f"the tree of {size} entries is not the one {where}")
        return None

    async def _compare_ages(self) -> None:
        """A checkpoint follows each entry within seconds: what is older than a minute and has none was never signed, or
        its checkpoint was removed. A checkpoint that is bad is named by itself."""
        signed = max((each.size for each in self._signed), default=0)
        if signed >= self._extent.stop:
            return
        query = "SELECT recorded_at FROM entry WHERE log_id = $1 AND idx = $2"
        for (recorded_at,) in await self._source.all(query, self._log, signed):
            try:
                age_seconds = (self._now - datetime.fromisoformat(recorded_at)).total_seconds()
            except (ValueError, TypeError):
                age_seconds = UNSIGNED_SECONDS_MAX * 2
            if abs(age_seconds) > UNSIGNED_SECONDS_MAX:
                what = f"the entries {signed} to {self._extent.stop - 1} have" if signed else "the log has"
                self._note(signed, Kind.UNSIGNED, f"{what} no checkpoint")
                self._unsigned = True


def _what_happened(doubt: Doubt, *, moved: bool) -> tuple[Kind, str]:
    """To an entry that is not the true one."""
    if doubt.column == doubt.derived and doubt.tile is not None:
        if doubt.derived == doubt.next_tile:
            return Kind.ENTRY_MISSING, "the next entry stands here"
        if doubt.tile == doubt.next_derived:
            return Kind.ENTRY_INSERTED, "another entry stands here, and the one that stood here comes next"
    if moved:
        return Kind.ORDER_CHANGED, "an entry from another place stands here"
    if doubt.column != doubt.derived:
        return Kind.LEAF_ALTERED, "the bytes are not those that were hashed when the entry was added"
    return Kind.LEAF_ALTERED, "the tile remembers another entry here"
