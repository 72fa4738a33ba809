"""A batch in one transaction: positions locked, then heads in the order of their logs; what is known is looked up, the
growth is worked out, and entries, subjects, rules, tiles, heads and positions are written together.
Its one rule: a position moves only from where its batch begins, so no record is ever taken twice or passed over.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update

from services.audit.trail.checkpoints import TrailBroken
from services.audit.trail.entries import OPERATOR, Draft, draft_of
from services.audit.trail.growth import Growth, Known
from services.audit.trail.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from services.audit.trail.storage import load_leaf_hashes
from services.audit.trail.tables import (
    AGGREGATE_HEAD,
    ENTRY,
    ENTRY_RULE,
    ENTRY_SUBJECT,
    HEAD,
    KAFKA_POS,
    SUBJECT_HEAD,
    TILE,
)
from services.audit.trail.tiles import TILE_WIDTH, full_tiles_completed, pack, tile_above
from shared.bulk import insert_rows, upsert_rows
from shared.bus.lease import LeaseLost
from shared.bus.transport import Partition, Record
from shared.database import Transaction

Batches = Mapping[Partition, Sequence[Record]]
Position = tuple[int, str]


async def append_records(tx: Transaction, batches: Batches, now: datetime) -> Growth:
    """Add the records that are new. Raises TrailBroken where a topic is not what it was, LeaseLost where another
    sequencer was here meanwhile."""
    before = await _lock_positions(tx, batches)
    records, after = _new_records(batches, before)
    drafts = [draft_of(record, now) for record in records]
    growth = Growth(await _known(tx, drafts), now)
    growth.take(records, drafts)
    await _store(tx, growth)
    await _move_on(tx, before, after)
    return growth


async def append_own(tx: Transaction, drafts: Sequence[Draft], now: datetime) -> Growth:
    """Add entries that the trail writes by itself, each unless it is there already."""
    known = await _known(tx, drafts)
    growth = Growth(known, now)
    for draft in drafts:
        if (draft.log, draft.event_id) not in known.taken:
            growth.add(draft)
    await _store(tx, growth)
    return growth


async def _lock_positions(tx: Transaction, batches: Batches) -> dict[Partition, Position]:
    """Where the trail stands in each partition. The rows stay locked, so that one sequencer at a time goes on."""
    positions = await _positions(tx)
    if missing := batches.keys() - positions.keys():
        rows = [{"topic": place.topic, "part": place.number} for place in sorted(missing)]
        await tx.session.execute(
            text("INSERT INTO kafka_pos VALUES (:topic, :part, 0, '') ON CONFLICT (topic, part) DO NOTHING"), rows
        )
        positions = await _positions(tx)
    return positions


async def _positions(tx: Transaction) -> dict[Partition, Position]:
    ordered = select(KAFKA_POS).order_by(KAFKA_POS.c.topic, KAFKA_POS.c.part).with_for_update()
    return {Partition(row[0], row[1]): (row[2], row[3]) for row in (await tx.session.execute(ordered)).all()}


def _new_records(
    batches: Batches, before: Mapping[Partition, Position]
) -> tuple[list[Record], dict[Partition, Position]]:
    """The records from the trail's positions on, in the order of their partitions, and the positions after them."""
    new: list[Record] = []
    after = {}
    for partition in sorted(batches):
        next_offset, last_event_id = before[partition]
        for record in batches[partition]:
            if record.offset == next_offset - 1 and event_id_of(record) != last_event_id:
                raise TrailBroken(f"{partition.topic}/{partition.number}: the record taken last is another one now")
            if record.offset > next_offset:
                missing = f"{next_offset} to {record.offset - 1}"
                raise TrailBroken(f"{partition.topic}/{partition.number}: the records {missing} are not there any more")
            if record.offset == next_offset:
                new.append(record)
                next_offset, last_event_id = record.offset + 1, event_id_of(record)
                after[partition] = (next_offset, last_event_id)
    return new, after


def event_id_of(record: Record) -> str:
    """By what a record is known again; that of a poison record may be anything."""
    return record.headers.get("ce_id", "").replace("\x00", "")[:255]


async def _move_on(tx: Transaction, before: Mapping[Partition, Position], after: Mapping[Partition, Position]) -> None:
    for place, (next_offset, last_event_id) in after.items():
        moved = await tx.session.execute(
            update(KAFKA_POS)
            .where(
                KAFKA_POS.c.topic == place.topic,
                KAFKA_POS.c.part == place.number,
                KAFKA_POS.c.next_offset == before[place][0],
            )
            .values(next_offset=next_offset, last_event_id=last_event_id)
            .returning(KAFKA_POS.c.part)
        )
        if moved.first() is None:
            raise LeaseLost(f"{place.topic}/{place.number} was moved by somebody else")


async def _known(tx: Transaction, drafts: Sequence[Draft]) -> Known:
    """Lock the heads of these drafts' logs (and operator's, where rejected records go) and look up what they meet."""
    frontiers = await _lock_heads(tx, {draft.log for draft in drafts} | {OPERATOR})
    subjects = {(draft.log, ref) for draft in drafts for ref in draft.refs}
    aggregates = {draft.aggregate for draft in drafts if draft.aggregate}
    events = {(draft.log, draft.event_id) for draft in drafts}
    return Known(
        frontiers,
        {(log, event_id): digest for log, event_id, digest in await _look_up(tx, "taken", events)},
        {(log, ref): (n, prev) for log, ref, n, prev in await _look_up(tx, "subjects", subjects)},
        dict(map(tuple, await _look_up(tx, "versions", {("", each) for each in aggregates}))),
    )


async def _lock_heads(tx: Transaction, logs: set[str]) -> dict[str, Frontier]:
    ordered = select(HEAD).where(HEAD.c.log_id.in_(sorted(logs))).order_by(HEAD.c.log_id).with_for_update()
    rows = (await tx.session.execute(ordered)).all()
    if missing := logs - {row.log_id for row in rows}:
        empty = [{"log": log, "root": EMPTY_ROOT, "frontier": b""} for log in sorted(missing)]
        await tx.session.execute(
            text("INSERT INTO head VALUES (:log, 0, :root, :frontier) ON CONFLICT (log_id) DO NOTHING"), empty
        )
        rows = (await tx.session.execute(ordered)).all()
    return {row.log_id: Frontier.from_hashes(row.size, _split(row.frontier)) for row in rows}


def _split(packed: bytes) -> list[bytes]:
    return [packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)]


# One statement whatever the number of pairs: a list of parameters would be planned anew at each length. SQLite looks up
# pair by pair in the order of a CROSS JOIN; it would scan for pairs of an IN.
_WANTED = {
    "postgresql": "unnest(CAST(:logs AS text[]), CAST(:keys AS text[])) AS wanted (log, key)",
    "sqlite": "(SELECT json_extract(value, '$[0]') AS log, json_extract(value, '$[1]') AS key FROM json_each(:pairs))"
    " AS wanted",
}
_FOUND = {
    "taken": "SELECT log_id, event_id, client_digest FROM {} CROSS JOIN entry WHERE log_id = log AND event_id = key",
    "subjects": "SELECT log_id, ref, n, prev FROM {} CROSS JOIN subject_head WHERE log_id = log AND ref = key",
    "versions": "SELECT aggregate_id, version FROM {} CROSS JOIN aggregate_head WHERE aggregate_id = key",
}
_LOOK_UPS = {
    (dialect, name): text(found.format(wanted)) for dialect, wanted in _WANTED.items() for name, found in _FOUND.items()
}


async def _look_up(tx: Transaction, name: str, pairs: Collection[tuple[str, str]]) -> Sequence[Any]:
    if not pairs:
        return []
    dialect = tx.session.get_bind().dialect.name
    if dialect == "sqlite":
        wanted: dict[str, Any] = {"pairs": json.dumps(list(pairs))}
    else:
        logs, keys = zip(*pairs, strict=True)
        wanted = {"logs": list(logs), "keys": list(keys)}
    return (await tx.session.execute(_LOOK_UPS[dialect, name], wanted)).all()


async def _store(tx: Transaction, growth: Growth) -> None:
    """Everything that has grown, but the positions."""
    frontiers = growth.known.frontiers
    tiles = [row for log in growth.logs for row in await _full_tiles(tx, growth, log)]
    await insert_rows(tx, ENTRY, growth.entries)
    await insert_rows(tx, ENTRY_SUBJECT, growth.subjects)
    await insert_rows(tx, ENTRY_RULE, growth.rules)
    await insert_rows(tx, TILE, tiles)
    await upsert_rows(tx, SUBJECT_HEAD, [(*key, *head) for key, head in growth.subject_heads.items()])
    await upsert_rows(tx, AGGREGATE_HEAD, list(growth.versions.items()))
    heads = [(log, frontiers[log].size, frontiers[log].root(), b"".join(frontiers[log].hashes)) for log in growth.logs]
    await upsert_rows(tx, HEAD, heads)


async def _full_tiles(tx: Transaction, growth: Growth, log: str) -> list[tuple[str, int, int, bytes]]:
    """The tiles that this batch has completed in a log, from what was stored before and what is new."""
    old_size, new = growth.old_sizes[log], growth.new_hashes[log]
    made: dict[tuple[int, int], bytes] = {}
    completed = full_tiles_completed(old_size, old_size + len(new))
    if completed:
        begun = old_size - old_size % TILE_WIDTH
        hashes = [*await load_leaf_hashes(tx, log, begun, old_size), *new]
    for level, n in completed:
        first = n * TILE_WIDTH
        if level == 0:
            made[level, n] = pack(hashes[first - begun : first - begun + TILE_WIDTH])
        else:
            below = await _tiles_below(tx, log, level - 1, first)
            below |= {each: tile for (made_level, each), tile in made.items() if made_level == level - 1}
            made[level, n] = tile_above(below[each] for each in range(first, first + TILE_WIDTH))
    return [(log, level, n, tile) for (level, n), tile in made.items()]


async def _tiles_below(tx: Transaction, log: str, level: int, first: int) -> dict[int, bytes]:
    rows = await tx.session.execute(
        select(TILE.c.n, TILE.c.hashes).where(
            TILE.c.log_id == log, TILE.c.level == level, TILE.c.n >= first, TILE.c.n < first + TILE_WIDTH
        )
    )
    return {row.n: row.hashes for row in rows}
