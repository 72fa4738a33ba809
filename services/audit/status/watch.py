"""What is new in the trail, as it comes. A watcher keeps the next index of each log, and gets each entry once, whatever
breaks in between. A checkpoint is no item but a state: a watcher that comes back gets the newest one again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select

from services.audit.access.usecases import record_search
from services.audit.attestations.tables import CHECKPOINT
from services.audit.status.schemas import NewCheckpoint, NewEntry
from services.audit.trail.storage import head_of
from services.audit.trail.tables import ENTRY, HEAD
from shared.database import Transaction
from shared.errors import Invalid
from shared.streams import PAGE_ITEMS_MAX, Batch, Item

LOOK_AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class Place:
    """How far a reader has watched: the next entry of each log, and the size of the last checkpoint that was sent."""

    entries: dict[str, int]
    checkpoints: dict[str, int] = field(default_factory=dict)


async def begin(tx: Transaction, wanted: Mapping[str, int | None], *, every_log: bool = False) -> Place:
    """A place to watch from: each wanted log from an index, or from now on. Who goes on from an index gets the newest
    checkpoint, too: it may have been made since the last watch. Each watch is recorded.
    Raises NotFound for a log that is not there, Invalid for an index beyond it."""
    place = Place({})
    names = set(wanted)
    if every_log:
        names |= set(await tx.session.scalars(select(HEAD.c.log_id)))
    for log_id in sorted(names):
        size, _ = await head_of(tx, log_id)
        start = wanted.get(log_id)
        if start is not None and not 0 <= start <= size:
            raise Invalid("beyond-the-tree", f"The log {log_id} has {size} entries: watch from 0 to {size}.")
        place.entries[log_id] = size if start is None else start
        if start is None:
            newest = select(func.max(CHECKPOINT.c.size)).where(CHECKPOINT.c.log_id == log_id)
            place.checkpoints[log_id] = await tx.session.scalar(newest) or 0
    criteria = {"log": next(iter(names))} if len(names) == 1 else {}
    record_search(tx, form="WATCH", sizes=place.entries, criteria=criteria)
    return place


async def news(tx: Transaction, place: Place, *, every_log: bool = False) -> list[NewEntry | NewCheckpoint]:
    """What has come since, log by log, entries before the checkpoint that signs them; the place moves on."""
    heads = {row.log_id: row.size for row in await tx.session.execute(select(HEAD.c.log_id, HEAD.c.size))}
    if every_log:
        for log_id in heads:
            place.entries.setdefault(log_id, 0)
    found: list[NewEntry | NewCheckpoint] = []
    for log_id, start in sorted(place.entries.items()):
        if heads.get(log_id, 0) > start:
            entries = await _entries(tx, log_id, start)
            place.entries[log_id] = start + len(entries)
            found += entries
        found += await _checkpoints(tx, log_id, place)
    return found


async def log_after(log_id: str, place: Place, tx: Transaction, index: int) -> Batch:
    """The entries of one log from an index on, and a checkpoint that is new to this place."""
    place.entries = {log_id: index}
    found = await news(tx, place)
    return Batch(
        [
            Item(each.index + 1, "entry", each)
            if isinstance(each, NewEntry)
            else Item(place.entries[log_id], "checkpoint", each)
            for each in found
        ]
    )


async def _entries(tx: Transaction, log_id: str, start: int) -> list[NewEntry]:
    rows = await tx.session.execute(
        select(ENTRY).where(ENTRY.c.log_id == log_id, ENTRY.c.idx >= start).order_by(ENTRY.c.idx).limit(PAGE_ITEMS_MAX)
    )
    return [
        NewEntry(
            log=log_id,
            index=row.idx,
            recorded_at=row.recorded_at,
            type=row.type,
            outcome=row.outcome,
            actor=row.actor,
            case_id=row.case_id,
        )
        for row in rows
    ]


async def _checkpoints(tx: Transaction, log_id: str, place: Place) -> list[NewCheckpoint]:
    """The newest checkpoint, if it is new and signs no entry that was not told yet."""
    row = (
        await tx.session.execute(
            select(CHECKPOINT)
            .where(
                CHECKPOINT.c.log_id == log_id,
                CHECKPOINT.c.size > place.checkpoints.get(log_id, 0),
                CHECKPOINT.c.size <= place.entries[log_id],
            )
            .order_by(CHECKPOINT.c.size.desc())
            .limit(1)
        )
    ).first()
    if row is None:
        return []
    place.checkpoints[log_id] = row.size
    return [NewCheckpoint(log=log_id, size=row.size, made_at=row.made_at, note=row.note)]
