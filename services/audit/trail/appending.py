"""A batch in one transaction: positions locked, then heads in the order of their logs; what is known is looked up, the
growth is worked out, and entries, subjects, rules, tiles, heads and positions are written together.
Its one rule: a position moves only from where its batch begins, so no record is ever taken twice or passed over.
"""

import asyncio
import json
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select, text, update

from services.audit.tlog.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from services.audit.tlog.tiles import TILE_WIDTH, full_tiles_completed, pack, tile_above
from services.audit.trail.entries import OPERATOR, Draft, draft_of
from services.audit.trail.growth import Growth, Known
from services.audit.trail.state import TrailBroken, bus_generation
from services.audit.trail.storage import load_leaf_hashes
from services.audit.trail.tables import (
    AGGREGATE_HEAD,
    ENTRY,
    ENTRY_RULE,
    ENTRY_SUBJECT,
    HEAD,
    KAFKA_POS,
    SOURCE_SKIP,
    SUBJECT_HEAD,
    TILE,
)
from shared.bulk import insert_rows, upsert_rows
from shared.bus.transport import Partition, Record
from shared.database import Transaction

Batches = Mapping[Partition, Sequence[Record]]
Drafts = Mapping[Partition, Sequence[tuple[Record, Draft]]]
Position = tuple[int, str]
Pairs = Collection[tuple[str, str]]

# So many records are drafted before the loop may look whether the database has answered.
DRAFTED_AT_ONCE = 16


def waves_of(batches: Batches, records_max: int) -> Iterator[Batches]:
    """The batches in parts of so many records, in the order of partitions: what one transaction takes."""
    wave: dict[Partition, Sequence[Record]] = {}
    room = records_max
    for place in sorted(batches):
        begin = 0
        while part := batches[place][begin : begin + room]:
            wave[place] = part
            begin, room = begin + len(part), room - len(part)
            if not room:
                yield wave
                wave, room = {}, records_max
    if wave:
        yield wave


async def drafts_of(batches: Batches, now: datetime) -> Drafts:
    """What these records become, wherever the logs stand: so it is worked out while the wave before is stored."""
    drafts: dict[Partition, list[tuple[Record, Draft]]] = {}
    for place, records in batches.items():
        drafts[place] = []
        for begin in range(0, len(records), DRAFTED_AT_ONCE):
            drafts[place] += [(each, draft_of(each, now)) for each in records[begin : begin + DRAFTED_AT_ONCE]]
            await asyncio.sleep(0)
    return drafts


async def append_records(tx: Transaction, drafts: Drafts, now: datetime) -> Growth:
    """Add the records that are new. Raises TrailBroken where a topic is not what it was."""
    before = await _lock_positions(tx, drafts)
    new, after = _new_records(drafts, before)
    growth = Growth(await _known(tx, [draft for _, draft in new]), now)
    growth.take(new)
    await _store(tx, growth)
    await _move_on(tx, after)
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


async def _lock_positions(tx: Transaction, drafts: Drafts) -> dict[Partition, Position]:
    """Where the trail stands in each partition. The rows stay locked, so that one sequencer at a time goes on."""
    positions = await _positions(tx)
    if missing := drafts.keys() - positions.keys():
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
    drafts: Drafts, before: Mapping[Partition, Position]
) -> tuple[list[tuple[Record, Draft]], dict[Partition, Position]]:
    """The records from the trail's positions on, in the order of their partitions, and the positions after them."""
    new: list[tuple[Record, Draft]] = []
    after = {}
    for partition in sorted(drafts):
        next_offset, last_event_id = before[partition]
        for record, draft in drafts[partition]:
            if record.offset == next_offset - 1 and event_id_of(record) != last_event_id:
                raise TrailBroken(f"{partition.topic}/{partition.number}: the record taken last is another one now")
            if record.offset > next_offset:
                missing = f"{next_offset} to {record.offset - 1}"
                raise TrailBroken(f"{partition.topic}/{partition.number}: the records {missing} are not there any more")
            if record.offset == next_offset:
                new.append((record, draft))
                next_offset, last_event_id = record.offset + 1, event_id_of(record)
                after[partition] = (next_offset, last_event_id)
    return new, after


def event_id_of(record: Record) -> str:
    """By what a record is known again; that of a poison record may be anything."""
    return record.headers.get("ce_id", "").replace("\x00", "")[:255]


async def _move_on(tx: Transaction, after: Mapping[Partition, Position]) -> None:
    """The rows are locked since they were read, so nobody else has moved them."""
    await upsert_rows(tx, KAFKA_POS, [(place.topic, place.number, *position) for place, position in after.items()])


async def _known(tx: Transaction, drafts: Sequence[Draft]) -> Known:
    """Lock the heads of these drafts' logs (and operator's, where rejected records go) and look up what they meet."""
    frontiers = await _lock_heads(tx, {draft.log for draft in drafts} | {OPERATOR})
    events = [(draft.log, draft.event_id) for draft in drafts]
    subjects = {(draft.log, ref) for draft in drafts for ref in draft.refs}
    aggregates = {("", draft.aggregate) for draft in drafts if draft.aggregate}
    known = Known(frontiers)
    for kind, log, key, number, digest in await _look_up(tx, taken=events, subjects=subjects, versions=aggregates):
        if kind == "taken":
            known.taken[log, key] = digest
        elif kind == "subjects":
            known.subjects[log, key] = (number, digest)
        else:
            known.versions[key] = number
    return known


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


# One statement whatever the number of pairs: a list of parameters would be planned anew at each length. Each pair is
# looked up by itself, by an index: a plan made while the tables were small would else read them whole for ever.
_FOUND = {
    "taken": ("0, client_digest", "entry", "log_id = log AND event_id = key"),
    "subjects": ("n, prev", "subject_head", "log_id = log AND ref = key"),
    "versions": ("version, CAST(NULL AS bytea)", "aggregate_head", "aggregate_id = key"),
}
_LOOK_UPS = {
    "postgresql": (
        "SELECT '{0}', log, key, found.* FROM unnest(CAST(:{0}_logs AS text[]), CAST(:{0}_keys AS text[]))"
        " AS wanted (log, key) CROSS JOIN LATERAL (SELECT {1} FROM {2} WHERE {3} OFFSET 0) AS found"
    ),
    "sqlite": (
        "SELECT '{0}', log, key, {1} FROM (SELECT json_extract(value, '$[0]') AS log, json_extract(value, '$[1]') AS"
        " key FROM json_each(:{0})) CROSS JOIN {2} WHERE {3}"
    ),
}
_LOOK_UP = {
    dialect: text(" UNION ALL ".join(form.format(kind, *found) for kind, found in _FOUND.items()))
    for dialect, form in _LOOK_UPS.items()
}


async def _look_up(tx: Transaction, **pairs: Pairs) -> Sequence[Any]:
    """What is there of these pairs of log and key: rows of kind, log, key, number, digest."""
    dialect = tx.session.get_bind().dialect.name
    wanted: dict[str, Any] = {}
    for kind, of_kind in pairs.items():
        if dialect == "sqlite":
            wanted[kind] = json.dumps(list(of_kind))
        else:
            wanted |= {f"{kind}_logs": [log for log, _ in of_kind], f"{kind}_keys": [key for _, key in of_kind]}
    return (await tx.session.execute(_LOOK_UP[dialect], wanted)).all()


async def _store(tx: Transaction, growth: Growth) -> None:
    """Everything that has grown, but the positions."""
    frontiers = growth.known.frontiers
    tiles = [row for log in growth.logs for row in await _full_tiles(tx, growth, log)]
    await insert_rows(tx, ENTRY, growth.entries)
    await insert_rows(tx, ENTRY_SUBJECT, growth.subjects)
    await insert_rows(tx, ENTRY_RULE, growth.rules)
    if growth.skipped:
        generation = await bus_generation(tx)
        await insert_rows(tx, SOURCE_SKIP, [(generation, *row) for row in growth.skipped])
    await insert_rows(tx, TILE, tiles)
    subjects = {key: (*key, *head) for key, head in growth.subject_heads.items()}
    await _put(tx, SUBJECT_HEAD, subjects, growth.old_subjects)
    aggregates = {key: (key, version) for key, version in growth.versions.items()}
    await _put(tx, AGGREGATE_HEAD, aggregates, growth.old_aggregates)
    heads = [(log, frontiers[log].size, frontiers[log].root(), b"".join(frontiers[log].hashes)) for log in growth.logs]
    await upsert_rows(tx, HEAD, heads)


async def _put(tx: Transaction, table: Table, rows: Mapping[Any, tuple[Any, ...]], there: Container[Any]) -> None:
    """Rows by their keys; those that are not there yet need but be added, which costs half."""
    await insert_rows(tx, table, [row for key, row in rows.items() if key not in there])
    await upsert_rows(tx, table, [row for key, row in rows.items() if key in there])


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


async def begin_positions_again(tx: Transaction) -> list[list[Any]]:
    """Positions go back to 0, for a bus that was made again. Returns what was there: topic, part, next offset."""
    rows = await tx.session.execute(select(KAFKA_POS).order_by(KAFKA_POS.c.topic, KAFKA_POS.c.part))
    taken = [[row.topic, row.part, row.next_offset] for row in rows if row.next_offset]
    await tx.session.execute(update(KAFKA_POS).values(next_offset=0, last_event_id=""))
    return taken
