"""Reads of proofs, and counts of a log."""

from sqlalchemy import func, select

from services.audit.tlog import merkle
from services.audit.trail.schemas import ConsistencyProofView, InclusionProofView, TypeCount
from services.audit.trail.storage import head_of
from services.audit.trail.tables import ENTRY
from services.audit.trail.tile_cache import nodes_for
from shared.database import Transaction
from shared.errors import Invalid


async def count_types(tx: Transaction, log_id: str) -> list[TypeCount]:
    await head_of(tx, log_id)
    rows = await tx.session.execute(
        select(ENTRY.c.type, func.count().label("count"))
        .where(ENTRY.c.log_id == log_id)
        .group_by(ENTRY.c.type)
        .order_by(ENTRY.c.type)
    )
    return [TypeCount(type=kind, count=count) for kind, count in rows.all()]


async def inclusion(tx: Transaction, log_id: str, index: int, size: int | None) -> InclusionProofView:
    """That an entry is in the tree of a size (default: the present one). Raises Invalid for one beyond the tree."""
    newest, _ = await head_of(tx, log_id)
    size = newest if size is None else size
    if not 0 <= index < size <= newest:
        raise Invalid("beyond-the-tree", f"The log has {newest} entries: index < size <= {newest}.")
    ranges = [*merkle.inclusion_ranges(index, size), (index, index + 1), (0, size)]
    get = await nodes_for(tx, log_id, newest, ranges)
    proof = merkle.inclusion_proof(index, size, get)
    return InclusionProofView(
        log=log_id,
        index=index,
        size=size,
        leaf_hash=get(0, index).hex(),
        root=merkle.root_at(size, get).hex(),
        proof=[item.hex() for item in proof],
    )


async def consistency(tx: Transaction, log_id: str, old: int, new: int | None) -> ConsistencyProofView:
    """That the newer tree begins with the older one. Raises Invalid for sizes beyond the tree."""
    newest, _ = await head_of(tx, log_id)
    new = newest if new is None else new
    if not 0 < old <= new <= newest:
        raise Invalid("beyond-the-tree", f"The log has {newest} entries: 0 < from <= to <= {newest}.")
    get = await nodes_for(tx, log_id, newest, [*merkle.consistency_ranges(old, new), (0, old), (0, new)])
    proof = merkle.consistency_proof(old, new, get)
    return ConsistencyProofView(
        log=log_id,
        old_size=old,
        new_size=new,
        old_root=merkle.root_at(old, get).hex(),
        new_root=merkle.root_at(new, get).hex(),
        proof=[item.hex() for item in proof],
    )
