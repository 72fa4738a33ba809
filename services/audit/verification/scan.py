"""A section of a log, read and judged entry by entry: what one process does at a time.

Its one rule: it reports what it derived and what it doubts; which of two contradicting witnesses lies is decided where
all sections come together, since only signatures over the whole tree can tell.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import Any

from services.audit.tlog.leaf import NotALeaf
from services.audit.tlog.merkle import Frontier, root_of
from services.audit.tlog.note import Verifier
from services.audit.tlog.tiles import TILE_WIDTH, unpack
from services.audit.trail.entries import GAP
from services.audit.verification.chains import Chains
from services.audit.verification.domain import PROBLEMS_MAX, Kind, Problem
from services.audit.verification.offsets import Offsets
from services.audit.verification.reading import COLUMNS, read_leaf
from services.audit.verification.signatures import Signed, read_checkpoint
from services.audit.verification.source import Source

LEAVES = "SELECT idx, leaf FROM entry WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"
ENTRIES = LEAVES.replace("leaf", ", ".join(("leaf", "leaf_hash", "client_digest", *COLUMNS)))
SUBJECTS = "SELECT idx, ref, n FROM entry_subject WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"
RULES = "SELECT idx, rule_id FROM entry_rule WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"
TILES = "SELECT n, hashes FROM tile WHERE log_id = $1 AND level = 0 AND n >= $2 AND n < $3"
CHECKPOINTS = "SELECT size, note FROM checkpoint WHERE log_id = $1 AND size > $2 AND size <= $3 ORDER BY size"


@dataclass(frozen=True, slots=True)
class Section:
    """Entries [start, stop) of a log; `start` begins a tile. `sizes` are sizes of trees, beside those of checkpoints,
    whose roots will be asked for. `leaves_only`: derive the tree, compare nothing. `positions`: how far each partition
    was taken; None: offsets are not compared; those of entries below `bus_from` are of a bus that is lost."""

    log: str
    origin: str
    start: int
    stop: int
    sizes: tuple[int, ...] = ()
    leaves_only: bool = False
    key: str = ""
    positions: dict[str, int] | None = None
    bus_from: int = 0


@dataclass(frozen=True, slots=True)
class Doubt:
    """An entry whose bytes, hash column and tile do not say the same. Hashes in hex, None where there is none."""

    index: int
    derived: str
    column: str
    tile: str | None
    next_derived: str | None
    next_tile: str | None


@dataclass(slots=True)
class Scanned:
    """What a section gave. `roots` are those of its full tiles, `tail` the hashes behind them, `corners` what a tree
    of a size has beyond full tiles: hex, since it goes from process to process as JSON. Beyond `broken_at`, where an
    entry is missing, no tree can be derived."""

    start: int
    count: int = 0
    broken_at: int | None = None
    roots: str = ""
    tail: str = ""
    corners: dict[str, str] = field(default_factory=dict)
    tile_roots: dict[str, str] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    chain_problems: list[Problem] = field(default_factory=list)
    chain_sum: int = 0
    checkpoints: list[Signed] = field(default_factory=list)
    offsets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Scanned":
        kinds = {"doubts": Doubt, "problems": Problem, "chain_problems": Problem, "checkpoints": Signed}
        return cls(**document | {name: [kind(**item) for item in document[name]] for name, kind in kinds.items()})


async def scan(
    source: Source, section: Section, verifiers: Sequence[Verifier], progress: Callable[[int], object]
) -> Scanned:
    """Read a section once. `progress` is told how many entries were read since it was last told."""
    log, start, stop = section.log, section.start, section.stop
    stored = await source.all(CHECKPOINTS, log, start, stop)
    checkpoints = [read_checkpoint(size, note, section.origin, verifiers) for size, note in stored]
    sizes = sorted({*section.sizes, *(size for size, _ in stored)})
    if section.leaves_only:
        found = await _derive(source, section, sizes, progress)
    else:
        found = await _Comparison(source, section, sizes).run(progress)
    found.checkpoints = checkpoints
    return found


class _Tree:
    """The tree of a section as its leaf hashes come in; it ends where an entry is missing."""

    def __init__(self, section: Section, sizes: Sequence[int]) -> None:
        self.found = Scanned(section.start)
        self.hashes: list[bytes] = []
        self.first = section.start
        self._roots: list[bytes] = []
        self._sizes = [size for size in sizes if size > section.start]

    def close_tile(self) -> None:
        """The tile at hand is full, or the last: keep its root, and the corners of the trees that end in it."""
        stop = self.first + len(self.hashes)
        while self._sizes and self._sizes[0] <= stop:
            size = self._sizes.pop(0)
            corner = Frontier()
            for digest in self.hashes[: size - self.first] if size < self.first + TILE_WIDTH else ():
                corner.append(digest)
            self.found.corners[str(size)] = b"".join(corner.hashes).hex()
        if len(self.hashes) == TILE_WIDTH:
            self._roots.append(root_of(self.hashes))
            self.first = stop
            self.hashes = []

    def finish(self) -> Scanned:
        if self.found.broken_at is None:
            self.close_tile()
        self.found.roots = b"".join(self._roots).hex()
        self.found.tail = b"".join(self.hashes).hex()
        return self.found


async def _derive(source: Source, section: Section, sizes: Sequence[int], progress: Callable[[int], object]) -> Scanned:
    """The tree alone."""
    tree = _Tree(section, sizes)
    found, index = tree.found, section.start
    async for page in source.pages(LEAVES, section.log, section.start, section.stop):
        for at, leaf in page:
            if at != index:
                break
            tree.hashes.append(sha256(b"\x00" + leaf).digest())
            index += 1
            if not index % TILE_WIDTH:
                tree.close_tile()
        found.count += len(page)
        progress(len(page))
        if found.count != index - section.start:
            break
    if index != section.stop:
        found.broken_at = index
        found.problems.append(missing(index))
    return tree.finish()


def missing(index: int) -> Problem:
    return Problem(index, Kind.ENTRY_MISSING, "this entry is not there")


class _Comparison:
    """The tree of a section, its leaves read, and all that stands beside them compared with what they say."""

    def __init__(self, source: Source, section: Section, sizes: Sequence[int]) -> None:
        self._source = source
        self._section = section
        self._tree = _Tree(section, sizes)
        self._found = self._tree.found
        self._chains = Chains(bytes.fromhex(section.key))
        self._index = section.start
        self._columns: dict[int, bytes] = {}
        self._unreadable: set[int] = set()
        self._subject_rows: list[tuple[int, str, int]] = []
        self._rule_rows: list[tuple[int, str]] = []
        self._tiles: dict[int, bytes] = {}
        self._offsets = Offsets(section.positions or {})
        self._beyond = section.positions is None

    async def run(self, progress: Callable[[int], object]) -> Scanned:
        section, source = self._section, self._source
        place = section.log, section.start, section.stop
        tiles = (section.start // TILE_WIDTH, section.stop // TILE_WIDTH)
        self._tiles = dict(await source.all(TILES, section.log, *tiles))
        subjects = _Beside(source.pages(SUBJECTS, *place))
        rule_rows = _Beside(source.pages(RULES, *place))
        async for page in source.pages(ENTRIES, *place):
            for row in page:
                self._take(row)
                if not self._index % TILE_WIDTH:
                    await self._compare(subjects, rule_rows)
            self._found.count += len(page)
            progress(len(page))
        if self._index != section.stop:
            self._gap()
        await self._compare(subjects, rule_rows)
        found = self._tree.finish()
        found.chain_sum = self._chains.total()
        found.chain_problems = self._chains.problems[:PROBLEMS_MAX]
        found.offsets = self._offsets.packed()
        return found

    def _take(self, row: Any) -> None:
        index, leaf, column = row[0], row[1], row[2]
        if index != self._index:
            self._gap()
        self._index = index + 1
        digest = sha256(b"\x00" + leaf).digest()
        if self._found.broken_at is None:
            self._tree.hashes.append(digest)
        if digest != column:
            self._columns[index] = column
        try:
            columns, client_digest, subjects, rules, place = read_leaf(leaf)
        except NotALeaf as error:
            self._unreadable.add(index)
            self._note(index, Kind.LEAF_ALTERED, f"the bytes are no leaf: {error}")
            return
        if digest == column:
            if row[4:] != columns:
                self._name_columns(index, row[4:], columns)
            if row[3] != client_digest:
                self._note(index, Kind.PROJECTION_DIFFERS, "the column client_digest does not say what the leaf says")
        counted = index >= self._section.bus_from and columns[2] != GAP
        if place is not None and counted and not self._offsets.take(place) and not self._beyond:
            self._beyond = True  # the first one says it for all that follow
            self._note(index, Kind.SOURCE_MISSING, "its record lies beyond what was taken of its partition")
        self._chains.take(index, digest.hex(), subjects)
        self._subject_rows += [(index, ref, n) for ref, n, _ in subjects]
        if rules:
            self._rule_rows += [(index, rule) for rule in rules]

    def _gap(self) -> None:
        if self._found.broken_at is None:
            self._found.broken_at = self._index
        self._note(self._index, Kind.ENTRY_MISSING, missing(self._index).detail)

    def _name_columns(self, index: int, ours: Sequence[object], theirs: Sequence[object]) -> None:
        if theirs[0] != self._section.log:
            self._note(index, Kind.ENTRY_INSERTED, "this is an entry of another log")
        for name, column, said in zip(COLUMNS[1:], ours[1:], theirs[1:], strict=True):
            if column != said:
                self._note(index, Kind.PROJECTION_DIFFERS, f"the column {name} does not say what the leaf says")

    async def _compare(self, subjects: "_Beside", rule_rows: "_Beside") -> None:
        """At the end of a tile: what stands beside its entries."""
        self._same("subjects", self._subject_rows, await subjects.below(self._index))
        self._same("rules", self._rule_rows, await rule_rows.below(self._index))
        self._subject_rows, self._rule_rows = [], []
        if self._found.broken_at is None:
            self._compare_tile()
            self._tree.close_tile()
        self._columns.clear()

    def _same(self, name: str, said: Sequence[Any], stored: Sequence[Any]) -> None:
        if said == stored or (len(said) == len(stored) and set(said) == set(stored)):
            return
        for index in sorted({row[0] for row in set(said) ^ {tuple(row) for row in stored}} - self._unreadable):
            self._note(index, Kind.PROJECTION_DIFFERS, f"the index of {name} does not say what the leaf says")

    def _compare_tile(self) -> None:
        tree, hashes = self._tree, self._tree.hashes
        n, full = tree.first // TILE_WIDTH, len(tree.hashes) == TILE_WIDTH
        stored = self._tiles.get(n)
        if full and stored is None:
            self._note(tree.first, Kind.TILE_DIFFERS, f"tile 0/{n} is not there")
        if not self._columns and (not full or stored is None or stored == b"".join(hashes)):
            return
        try:
            remembered = unpack(stored) if stored and full else []
        except ValueError:
            remembered = []
        if full and stored is not None and len(remembered) != TILE_WIDTH:
            self._note(tree.first, Kind.TILE_DIFFERS, f"tile 0/{n} is not 256 hashes")
            remembered = []
        if remembered:
            self._found.tile_roots[str(n)] = root_of(remembered).hex()
        self._doubt(hashes, remembered)

    def _doubt(self, hashes: Sequence[bytes], remembered: Sequence[bytes]) -> None:
        for at, digest in enumerate(hashes):
            index = self._tree.first + at
            column = self._columns.get(index, digest)
            tile = remembered[at] if remembered else None
            if (digest == column and tile in (None, digest)) or len(self._found.doubts) >= PROBLEMS_MAX:
                continue
            following = [row[at + 1].hex() if at + 1 < len(row) else None for row in (hashes, remembered)]
            self._found.doubts.append(
                Doubt(index, digest.hex(), column.hex(), tile.hex() if tile else None, *following)
            )

    def _note(self, index: int, kind: Kind, detail: str) -> None:
        if len(self._found.problems) < PROBLEMS_MAX:
            self._found.problems.append(Problem(index, kind, detail))


class _Beside:
    """Rows that stand beside the entries, in the order of their index, taken as far as the entries have come."""

    def __init__(self, pages: AsyncIterator[Sequence[Any]]) -> None:
        self._pages = pages
        self._rows: list[Any] = []

    async def below(self, index: int) -> list[Any]:
        while not self._rows or self._rows[-1][0] < index:
            page = await anext(self._pages, None)
            if page is None:
                break
            self._rows += page
        cut = bisect_left(self._rows, index, key=itemgetter(0))
        taken, self._rows = self._rows[:cut], self._rows[cut:]
        return taken
