"""Tiles and entry bundles, by which anyone reads the tree over plain HTTP (C2SP tlog-tiles, height 8).
Its one rule: a full tile never changes, and only full tiles are hashed into the level above.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from services.audit.tlog.merkle import HASH_BYTES, Get, Range, root_of, subtrees

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
TILE_LEVEL_MAX = 63
ENTRY_BYTES_MAX = 65_535
_N_MAX = (1 << 63) - 1

_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class TilePath(NamedTuple):
    """What a path names: tile `n` of `level` (None: the entry bundle), of which the first `width` items."""

    level: int | None
    n: int
    width: int


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile below the log's prefix, for example `tile/0/x001/234.p/5`. ValueError if out of range."""
    if not 0 <= level <= TILE_LEVEL_MAX:
        raise ValueError(f"tile level {level} is not in 0..{TILE_LEVEL_MAX}")
    return f"tile/{level}/{_index_path(n, width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle below the log's prefix, for example `tile/entries/x001/234`."""
    return f"tile/entries/{_index_path(n, width)}"


def parse_tile_path(path: str) -> TilePath:
    """Read a path as the two functions above write it. Raises ValueError for any other spelling."""
    found = _PATH.fullmatch(path)
    if not found:
        raise ValueError("not the path of a tile or an entry bundle")
    kind, index, width = found.groups()
    level = None if kind == "entries" else int(kind)
    parsed = TilePath(level, int(index.replace("x", "").replace("/", "")), int(width) if width else TILE_WIDTH)
    if width and parsed.width >= TILE_WIDTH:
        raise ValueError(f"a partial tile is at most {TILE_WIDTH - 1} wide")
    # Leading groups of zeroes would give one tile two names.
    again = entries_path(parsed.n, parsed.width) if level is None else tile_path(level, parsed.n, parsed.width)
    if again != path:
        raise ValueError("the tile index has superfluous leading zeroes")
    return parsed


def tile_width(level: int, n: int, size: int) -> int:
    """How many hashes tile `n` of `level` has in a tree of `size` leaves: 0 (no such tile) to 256 (full)."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - n * TILE_WIDTH))


def full_tiles_completed(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """The tiles (level, n) that become full when a log grows, lower levels first: each can be built from those before.

    Raises ValueError unless 0 <= old_size <= new_size.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a log does not grow from {old_size} to {new_size}")
    completed: list[tuple[int, int]] = []
    for level in range(TILE_LEVEL_MAX + 1):
        span = TILE_HEIGHT * (level + 1)
        if not new_size >> span:
            break
        completed.extend((level, n) for n in range(old_size >> span, new_size >> span))
    return completed


def pack(hashes: Sequence[bytes]) -> bytes:
    """A tile's bytes: 1 to 256 hashes of 32 bytes in order. At level 0 they are leaf hashes. ValueError otherwise."""
    tile = b"".join(hashes)
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError(f"a tile is 1 to {TILE_WIDTH} hashes of {HASH_BYTES} bytes")
    return tile


def unpack(tile: bytes) -> list[bytes]:
    """The hashes of a tile. Raises ValueError unless they are 1 to 256 whole ones."""
    if not tile or len(tile) % HASH_BYTES or len(tile) > TILE_BYTES:
        raise ValueError(f"{len(tile)} bytes are not a tile")
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def tile_root(tile: bytes) -> bytes:
    """The hash that a full tile has in the tile above. Raises ValueError for a partial one (it must not be hashed)."""
    if len(tile) != TILE_BYTES:
        raise ValueError(f"a full tile is {TILE_BYTES} bytes, not {len(tile)}")
    return root_of(unpack(tile))


def tile_above(lower: Iterable[bytes]) -> bytes:
    """A tile's bytes from the full tiles below it, in order (level l, n: tiles n*256 … of level l - 1)."""
    return pack([tile_root(each) for each in lower])


def tiles_needed(ranges: Iterable[Range]) -> list[tuple[int, int]]:
    """The tiles (level, n) that hold the hashes of a proof's ranges (see merkle.inclusion_ranges), each once, sorted.

    For `root_at(size)` ask with [(0, size)].
    """
    needed = {_home(level, index)[:2] for start, stop in ranges for level, index in subtrees(start, stop)}
    return sorted(needed)


def get_from_tiles(tile: Callable[[int, int], bytes]) -> Get:
    """A `get(level, index)` for merkle's proofs over `tile(level, n)`, which gives a tile's bytes, full or partial.

    It raises ValueError when a tile is too narrow for the hash asked for.
    """

    def get(level: int, index: int) -> bytes:
        tile_level, n, first, count = _home(level, index)
        found = tile(tile_level, n)[first * HASH_BYTES : (first + count) * HASH_BYTES]
        if len(found) != count * HASH_BYTES:
            raise ValueError(f"tile {tile_level}/{n} is too narrow for node {level}/{index}")
        return found if count == 1 else root_of(unpack(found))

    return get


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length as a big-endian uint16.

    Raises ValueError for more than 256 entries or one of more than 65,535 bytes.
    """
    if len(entries) > TILE_WIDTH:
        raise ValueError(f"a bundle holds at most {TILE_WIDTH} entries, not {len(entries)}")
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise ValueError(f"an entry of {len(entry)} bytes does not fit a bundle")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def _index_path(n: int, width: int) -> str:
    if not 0 <= n <= _N_MAX:
        raise ValueError(f"tile index {n} is out of range")
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"tile width {width} is not in 1..{TILE_WIDTH}")
    path = f"{n % 1000:03}"
    while n := n // 1000:
        path = f"x{n % 1000:03}/{path}"
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def _home(level: int, index: int) -> tuple[int, int, int, int]:
    """Where a subtree's hash is found: tile level, tile n, first hash in it, how many hashes to fold."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    first = index << height
    return tile_level, first >> TILE_HEIGHT, first & (TILE_WIDTH - 1), 1 << height
