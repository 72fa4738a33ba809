"""Reads of the trail's tables: heads, tiles whole or partial, and what proofs need of them."""

from sqlalchemy import and_, bindparam, select

from services.audit.tlog.merkle import Get, Range
from services.audit.tlog.tiles import (
    TILE_WIDTH,
    get_from_tiles,
    pack,
    tile_root,
    tile_width,
    tiles_needed,
)
from services.audit.trail.tables import ENTRY, HEAD, TILE
from shared.database import Transaction
from shared.errors import NotFound

# Put together once: each proof begins with it, and building a statement takes longer than a proof.
_HEAD = select(HEAD.c.size, HEAD.c.root).where(HEAD.c.log_id == bindparam("log"))


async def head_of(tx: Transaction, log_id: str) -> tuple[int, bytes]:
    """Size and root of a log. Raises NotFound."""
    row = (await tx.session.execute(_HEAD, {"log": log_id})).first()
    if row is None:
        raise NotFound("log-not-found", "There is no such log here.")
    return row.size, row.root


async def load_tile(tx: Transaction, log_id: str, level: int, n: int, size: int) -> bytes:
    """The hashes of a tile of the tree of this size: stored if it is full, else put together from what is below."""
    width = tile_width(level, n, size)
    if width == TILE_WIDTH:
        stored: bytes | None = await tx.session.scalar(
            select(TILE.c.hashes).where(TILE.c.log_id == log_id, TILE.c.level == level, TILE.c.n == n)
        )
        if stored is not None:
            return stored
    first = n * TILE_WIDTH
    if level == 0:
        hashes = await tx.session.scalars(
            select(ENTRY.c.leaf_hash)
            .where(ENTRY.c.log_id == log_id, ENTRY.c.idx >= first, ENTRY.c.idx < first + width)
            .order_by(ENTRY.c.idx)
        )
        return pack(hashes.all())
    below = await tx.session.scalars(
        select(TILE.c.hashes)
        .where(TILE.c.log_id == log_id, TILE.c.level == level - 1, TILE.c.n >= first, TILE.c.n < first + width)
        .order_by(TILE.c.n)
    )
    return pack([tile_root(tile) for tile in below])


async def hashes_for(tx: Transaction, log_id: str, size: int, ranges: list[Range]) -> Get:
    """What a proof over these ranges reads, fetched before it is made."""
    tiles = {(level, n): await load_tile(tx, log_id, level, n, size) for level, n in tiles_needed(ranges)}
    return get_from_tiles(lambda level, n: tiles[level, n])


async def load_entries(tx: Transaction, log_id: str, n: int, width: int) -> list[bytes]:
    """The leaves of an entry bundle."""
    first = n * TILE_WIDTH
    rows = await tx.session.scalars(
        select(ENTRY.c.leaf)
        .where(ENTRY.c.log_id == log_id, ENTRY.c.idx >= first, ENTRY.c.idx < first + width)
        .order_by(ENTRY.c.idx)
    )
    return list(rows)


async def load_leaf_hashes(tx: Transaction, log_id: str, start: int, stop: int) -> list[bytes]:
    """The leaf hashes of the entries [start, stop)."""
    if start >= stop:
        return []
    rows = await tx.session.scalars(
        select(ENTRY.c.leaf_hash)
        .where(ENTRY.c.log_id == log_id, ENTRY.c.idx >= start, ENTRY.c.idx < stop)
        .order_by(ENTRY.c.idx)
    )
    return list(rows)


async def logs_born_before(tx: Transaction, moment: str) -> list[str]:
    """The logs whose first entry was recorded before this instant, as leaf.instant writes it."""
    rows = await tx.session.scalars(
        select(HEAD.c.log_id)
        .join(ENTRY, and_(ENTRY.c.log_id == HEAD.c.log_id, ENTRY.c.idx == 0))
        .where(ENTRY.c.recorded_at < moment)
        .order_by(HEAD.c.log_id)
    )
    return list(rows)
