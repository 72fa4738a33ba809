"""Routes of a log: counts, proofs, and the tiles of C2SP's tlog-tiles."""

from typing import Annotated

from fastapi import Query, Response

from services.audit.access.usecases import record_reading, record_search
from services.audit.tlog.merkle import HASH_BYTES
from services.audit.tlog.tiles import TILE_WIDTH, encode_entries, parse_tile_path, tile_width
from services.audit.trail import queries
from services.audit.trail.schemas import (
    ConsistencyProofView,
    InclusionProofView,
    TypeCounts,
)
from services.audit.trail.storage import head_of, load_entries, load_tile
from shared.auth import Actor, Role, allow
from shared.errors import NotFound
from shared.web import ReadTx, Tx, room

router = room("audit", tag="trail")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]
Size = Annotated[int | None, Query(ge=0, le=2**53)]

# Full or partial, what a path of a tile names is the same for ever. Private: it was given to an officer.
NEVER_CHANGES = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/logs/{log_id}/counts")
async def count_types(log_id: str, _actor: Officer, tx: Tx) -> TypeCounts:
    """How many entries of each type a log has. The count itself is recorded."""
    size, _ = await head_of(tx, log_id)
    items = await queries.count_types(tx, log_id)
    found = sum(item.count for item in items)
    record_search(tx, form="COUNTS", sizes={log_id: size}, found=found, criteria={"log": log_id})
    return TypeCounts(items=items)


@router.get("/logs/{log_id}/proofs/inclusion")
async def prove_inclusion(
    log_id: str, _actor: Officer, tx: ReadTx, index: Annotated[int, Query(ge=0, le=2**53)], size: Size = None
) -> InclusionProofView:
    """That an entry is in the log."""
    return await queries.inclusion(tx, log_id, index, size)


@router.get("/logs/{log_id}/proofs/consistency")
async def prove_consistency(
    log_id: str,
    _actor: Officer,
    tx: ReadTx,
    old_size: Annotated[int, Query(alias="from", ge=1, le=2**53)],
    new_size: Annotated[int | None, Query(alias="to", ge=1, le=2**53)] = None,
) -> ConsistencyProofView:
    """That nothing of the older log was changed in the newer one."""
    return await queries.consistency(tx, log_id, old_size, new_size)


@router.get("/logs/{log_id}/tile/{path:path}", response_class=Response)
async def get_tile(log_id: str, path: str, _actor: Officer, tx: Tx) -> Response:
    """A tile of hashes, or a bundle of entries, at its C2SP path. The reading itself is recorded."""
    size, _ = await head_of(tx, log_id)
    try:
        wanted = parse_tile_path(f"tile/{path}")
    except ValueError:
        raise NotFound("tile-not-found", "The path must be that of a tile: see C2SP tlog-tiles.") from None
    # An entry bundle is as wide as the tile of its leaf hashes.
    if not 0 < wanted.width <= tile_width(wanted.level or 0, wanted.n, size):
        raise NotFound("tile-not-found", f"The log has {size} entries: there is no such tile yet.")
    if wanted.level is None:
        content = encode_entries(await load_entries(tx, log_id, wanted.n, wanted.width))
        first = wanted.n * TILE_WIDTH
        record_reading(tx, form="BUNDLE", log=log_id, first=first, last=first + wanted.width - 1)
    else:
        content = (await load_tile(tx, log_id, wanted.level, wanted.n, size))[: wanted.width * HASH_BYTES]
    return Response(content, media_type="application/octet-stream", headers=NEVER_CHANGES)
