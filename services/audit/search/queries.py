"""Search in the trail: by case, actor, type and time, oldest first. A page stays what it was while the log grows."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_

from services.audit.trail.entries import instant
from services.audit.trail.queries import inclusion
from services.audit.trail.schemas import EntryView, ProvenEntryView
from services.audit.trail.tables import ENTRY
from shared.database import Transaction
from shared.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class EntryFilter:
    log: str | None = None
    case_id: str | None = None
    actor: str | None = None
    type: str | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None


async def list_entries(
    tx: Transaction, wanted: EntryFilter, *, after: tuple[str, int] | None, limit: int
) -> list[EntryView]:
    """Entries by log and index. Raises Invalid for a span of time that ends before it begins."""
    if wanted.occurred_from and wanted.occurred_until and wanted.occurred_from > wanted.occurred_until:
        raise Invalid("time-reversed", "`from` lies after `until`: turn them round.")
    statement = (
        select(ENTRY.c.log_id, ENTRY.c.idx, ENTRY.c.leaf_hash, ENTRY.c.leaf)
        .order_by(ENTRY.c.log_id, ENTRY.c.idx)
        .limit(limit)
    )
    for column, value in (
        (ENTRY.c.log_id, wanted.log),
        (ENTRY.c.case_id, wanted.case_id),
        (ENTRY.c.actor, wanted.actor),
        (ENTRY.c.type, wanted.type),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.occurred_from is not None:
        statement = statement.where(ENTRY.c.occurred_at >= instant(wanted.occurred_from))
    if wanted.occurred_until is not None:
        statement = statement.where(ENTRY.c.occurred_at < instant(wanted.occurred_until))
    if after is not None:
        statement = statement.where(tuple_(ENTRY.c.log_id, ENTRY.c.idx) > after)
    rows = (await tx.session.execute(statement)).all()
    return [
        EntryView(log=log_id, index=index, leaf_hash=leaf_hash.hex(), leaf=json.loads(leaf))
        for log_id, index, leaf_hash, leaf in rows
    ]


async def get_entry(tx: Transaction, log_id: str, index: int) -> ProvenEntryView:
    """One entry to the byte, with the proof that it is in the log."""
    row = (
        await tx.session.execute(
            select(ENTRY.c.leaf_hash, ENTRY.c.leaf).where(ENTRY.c.log_id == log_id, ENTRY.c.idx == index)
        )
    ).first()
    if row is None:
        raise NotFound("entry-not-found", "There is no such entry here.")
    return ProvenEntryView(
        log=log_id,
        index=index,
        leaf_hash=row.leaf_hash.hex(),
        leaf=json.loads(row.leaf),
        leaf_text=row.leaf.decode(),
        inclusion=await inclusion(tx, log_id, index, None),
    )
