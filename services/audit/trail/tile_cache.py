"""The hashes that proofs are made of, kept in memory: a full tile never changes, so each is read and folded once.

Only proofs for readers are made from this cache. Signing, and checks against a signature, read the tables again
(storage.hashes_for).
"""

from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from services.audit.tlog.merkle import Get, Range, node_hash
from services.audit.tlog.tiles import TILE_HEIGHT, tile_width, tiles_needed, unpack
from services.audit.trail.storage import load_tile
from shared.database import Transaction

TILES_KEPT_MAX = 4_096  # of about 45 kB, nodes included: a log of a million entries fits

Nodes = Sequence[Sequence[bytes]]
Key = tuple[str, int, int, int]

# One cache a database, gone with its engine.
_caches: WeakKeyDictionary[Engine | Connection, OrderedDict[Key, Nodes]] = WeakKeyDictionary()


async def nodes_for(tx: Transaction, log_id: str, size: int, ranges: list[Range]) -> Get:
    """What a proof over these ranges reads. Raises ValueError, when it is read, for what a tile does not hold."""
    cache = _caches.setdefault(tx.session.get_bind(), OrderedDict())
    tiles: dict[tuple[int, int], Nodes] = {}
    for level, n in tiles_needed(ranges):
        key = log_id, level, n, tile_width(level, n, size)
        found = cache.get(key)
        if found is None:
            found = cache[key] = nodes_of(await load_tile(tx, log_id, level, n, size))
            if len(cache) > TILES_KEPT_MAX:
                cache.popitem(last=False)
        cache.move_to_end(key)
        tiles[level, n] = found

    def get(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        n, at = divmod(index, 1 << (TILE_HEIGHT - height))
        try:
            return tiles[tile_level, n][height][at]
        except IndexError:
            raise ValueError(f"tile {tile_level}/{n} is too narrow for node {level}/{index}") from None

    return get


def nodes_of(tile: bytes) -> Nodes:
    """A tile's hashes, and above them those of every complete subtree in it, by height."""
    rows = [unpack(tile)]
    while len(rows[-1]) > 1 and len(rows) < TILE_HEIGHT:
        below = rows[-1]
        rows.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return rows
