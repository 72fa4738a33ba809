"""A log's tree, put together from its sections: its root at every size that somebody signed, and its upper tiles."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from services.audit.tlog.merkle import HASH_BYTES, Frontier, root_of
from services.audit.tlog.tiles import TILE_WIDTH, unpack
from services.audit.verification.domain import Kind, Problem
from services.audit.verification.scan import Scanned

Tiles = Mapping[tuple[int, int], bytes]


class Tree:
    """What the leaves say. It reaches to the log's end, or to the first entry that is missing."""

    def __init__(self, sections: Sequence[Scanned]) -> None:
        self._roots: list[bytes] = []
        self._remembered: dict[int, bytes] = {}
        self._corners: dict[int, bytes] = {0: b""}
        self.broken_at: int | None = None
        self.size = 0
        for section in sections:
            self._roots += split(bytes.fromhex(section.roots))
            self._corners |= {int(size): bytes.fromhex(corner) for size, corner in section.corners.items()}
            self._remembered |= {int(n): bytes.fromhex(root) for n, root in section.tile_roots.items()}
            self.size = len(self._roots) * TILE_WIDTH + len(section.tail) // (2 * HASH_BYTES)
            if section.broken_at is not None:
                self.broken_at = section.broken_at
                break

    @cached_property
    def _frontiers(self) -> dict[int, list[bytes]]:
        """For each size that is asked for: the hashes of its complete subtrees, the largest first."""
        found, above = {}, Frontier()
        for size in sorted(self._corners):
            while above.size < size // TILE_WIDTH:
                above.append(self._roots[above.size])
            found[size] = [*above.hashes, *split(self._corners[size])]
        return found

    def frontier(self, size: int) -> list[bytes] | None:
        """None where the leaves do not reach, or nobody asked beforehand."""
        return self._frontiers.get(size)

    def root(self, size: int) -> bytes | None:
        hashes = self.frontier(size)
        return None if hashes is None else Frontier.from_hashes(size, hashes).root()

    def compare_upper(self, stored: Tiles) -> list[Problem]:
        """Hold the tiles above level 0 to the leaves. Where a tile below is doubted, either of its roots will do: the
        doubt itself is settled elsewhere."""
        problems = []
        slots = [{root, self._remembered[n]} if n in self._remembered else {root} for n, root in enumerate(self._roots)]
        derived, level = self._roots, 1
        while len(derived) >= TILE_WIDTH:
            above_slots, above = [], []
            for n in range(len(derived) // TILE_WIDTH):
                part = slice(n * TILE_WIDTH, (n + 1) * TILE_WIDTH)
                tile = stored.get((level, n))
                above.append(root_of(derived[part]))
                above_slots.append({above[-1], *_root_if_whole(tile)})
                wrong = _first_wrong(tile, slots[part])
                if wrong is not None:
                    first = (n * TILE_WIDTH + wrong) * TILE_WIDTH**level
                    said = "is not that of the entries" if tile is not None else "is not there"
                    problems.append(Problem(first, Kind.TILE_DIFFERS, f"tile {level}/{n} {said}"))
            slots, derived, level = above_slots, above, level + 1
        return problems

    def has_tile(self, level: int, n: int) -> bool:
        """Whether a tile would be full in the tree as it is."""
        return bool((n + 1) * TILE_WIDTH ** (level + 1) <= self.size)


def _first_wrong(tile: bytes | None, slots: Sequence[set[bytes]]) -> int | None:
    if tile is None or len(tile) != TILE_WIDTH * HASH_BYTES:
        return 0
    return next((at for at, digest in enumerate(unpack(tile)) if digest not in slots[at]), None)


def _root_if_whole(tile: bytes | None) -> list[bytes]:
    return [root_of(unpack(tile))] if tile is not None and len(tile) == TILE_WIDTH * HASH_BYTES else []


def split(packed: bytes) -> list[bytes]:
    return [packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)]
