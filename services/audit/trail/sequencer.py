"""The sequencer: takes every record of every topic into the logs, exactly once and in one order.

The positions that count are in the trail's own database, moved with the entries; the broker's are for display. Entries,
tiles, heads and positions are one transaction; then, and only then, the publisher signs the new heads.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.audit.settings import AuditSettings
from services.audit.trail import entries
from services.audit.trail.canonical import NotCanonical
from services.audit.trail.checkpoints import TrailBroken, check_against_checkpoints, verifier_of
from services.audit.trail.entries import Draft
from services.audit.trail.leaf import LeafTooLarge, NotALeaf, Subject, encode
from services.audit.trail.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, leaf_hash
from services.audit.trail.publisher import Publisher
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
from shared.bus.consumer import BACK_OFF_SECONDS_MAX
from shared.bus.lease import Lease, LeaseLost
from shared.bus.transport import Partition, Record, StaleMember, Subscription, TransportClosed, TransportDown
from shared.bus.watchdog import Silent, Watchdog
from shared.clock import system_now
from shared.database import AWAY, Transaction
from shared.events.registry import TOPICS
from shared.runtime import Runtime
from shared.telemetry import CONSUMER_RECREATED, Log, Throttled

BATCH_RECORDS_MAX = 500
POLL_SECONDS = 1.0

_log = Log("sequencer")


@dataclass(slots=True)
class _Growth:
    """What a batch adds to one log."""

    log_id: str
    old_size: int
    frontier: Frontier
    rows: list[dict[str, Any]] = field(default_factory=list)
    subject_rows: list[dict[str, Any]] = field(default_factory=list)
    rule_rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.frontier.size


class Sequencer:
    """The one writer of the trail, by a lease."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = AuditSettings.of(runtime.settings)
        self._lease = Lease(runtime.database, runtime.service.tables.bus.lease, "sequencer")
        self.publisher = Publisher(runtime, leads=lambda: self._lease.epoch > 0)
        tables = runtime.service.tables.bus
        self.watchdog = Watchdog("audit", runtime.database, tables, runtime.transport, sorted(TOPICS), positions)
        self._trouble = Throttled(_log)

    async def run(self) -> None:
        """Sequence for ever. A trail that contradicts its checkpoints, or a topic that was made anew, ends it."""
        async with self._runtime.database.reading() as tx:
            await check_against_checkpoints(tx, verifier_of(self._settings), self._settings)
        back_off_seconds = 0.1
        while True:
            try:
                await self.watchdog.over(self._sequence)
            except TransportClosed:
                return
            except (StaleMember, LeaseLost):
                self._lease.lose()
            except Silent:
                CONSUMER_RECREATED.labels("audit").inc()
                _log.error("no progress although events wait: joining anew", consumer="audit")
            except (TransportDown, *AWAY) as error:
                if not isinstance(error, TransportDown):  # of which the transport itself tells
                    self._trouble.warning("database away", consumer="audit", reason=type(error).__name__)
                await asyncio.sleep(back_off_seconds)
                back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
                continue
            back_off_seconds = 0.1

    async def _sequence(self) -> None:
        while not await self._lease.holds():
            await asyncio.sleep(POLL_SECONDS)
        subscription = await self._runtime.transport.subscribe("audit", sorted(TOPICS))
        placed: set[Partition] = set()
        try:
            while True:
                if not await self._lease.holds():
                    raise LeaseLost
                await self._place(subscription, placed)
                await self.sequence_once(subscription)
        finally:
            await subscription.close()

    async def _place(self, subscription: Subscription, placed: set[Partition]) -> None:
        """Start each newly assigned partition where the trail's own position says, less one: that record must still
        be the one that was taken last."""
        assigned = subscription.assigned
        placed &= assigned
        new = assigned - placed
        if not new:
            return
        async with self._runtime.database.reading() as tx:
            rows = (await tx.session.execute(select(KAFKA_POS))).all()
        ends = await self._runtime.transport.ends(sorted(TOPICS))
        positions = {Partition(row.topic, row.part): row.next_offset for row in rows}
        for partition in new:
            position = positions.get(partition, 0)
            if position > ends[partition]:
                raise TrailBroken(f"{partition.topic}/{partition.number} is shorter than what was taken from it")
            await subscription.seek(partition, max(0, position - 1))
            placed.add(partition)

    async def sequence_once(self, subscription: Subscription, timeout_seconds: float = POLL_SECONDS) -> int:
        """Take in what one poll brings. Returns how many entries were added."""
        batches = await subscription.poll(records_max=BATCH_RECORDS_MAX, timeout_seconds=timeout_seconds)
        added = await self.append(batches) if batches else 0
        if batches:
            await subscription.commit({place: records[-1].offset + 1 for place, records in batches.items()})
        return added

    async def append(self, batches: Mapping[Partition, Sequence[Record]]) -> int:
        """Add the records that are new, in one transaction. Raises TrailBroken where a topic is not what it was."""
        now = system_now()
        async with self._runtime.database.transaction() as tx:
            if not await tx.session.scalar(select(self._lease.still_mine())):
                raise LeaseLost
            records, positions = await _new_records(tx, batches)
            drafts = [entries.draft_of(record, now) for record in records]
            growths = await _grow(tx, records, drafts, now)
            for growth in growths:
                await _store(tx, growth)
            await _move_on(tx, positions)
        if growths:
            self.publisher.wake()
        return sum(len(growth.rows) for growth in growths)


async def _new_records(
    tx: Transaction, batches: Mapping[Partition, Sequence[Record]]
) -> tuple[list[Record], dict[Partition, tuple[int, str]]]:
    """The records from the trail's own positions on, with the positions after them; the positions stay locked."""
    known = (await tx.session.execute(select(KAFKA_POS).with_for_update())).all()
    positions = {Partition(row.topic, row.part): (row.next_offset, row.last_event_id) for row in known}
    new, moved = [], {}
    for partition in sorted(batches):
        next_offset, last_event_id = positions.get(partition, (0, ""))
        for record in batches[partition]:
            if record.offset == next_offset - 1 and _event_id(record) != last_event_id:
                raise TrailBroken(f"{partition.topic}/{partition.number}: the record taken last is another one now")
            if record.offset >= next_offset:
                new.append(record)
                moved[partition] = (record.offset + 1, _event_id(record))
    return new, moved


def _event_id(record: Record) -> str:
    return record.headers.get("ce_id", "")


async def _grow(tx: Transaction, records: Sequence[Record], drafts: Sequence[Draft], now: datetime) -> list[_Growth]:
    """Give each new entry its place: heads locked in the order of their logs, then subjects counted."""
    growths = await _heads(tx, sorted({draft.log for draft in drafts} | {entries.OPERATOR}))
    taken = await _taken(tx, drafts)
    subjects = await _subject_heads(tx, drafts)
    for record, draft in zip(records, drafts, strict=True):
        place = (draft.log, str(draft.event_id))
        if place in taken and taken[place] == draft.client_digest:
            continue
        if place in taken:
            draft = entries.conflict(record, draft, now)
        draft = _add(growths, subjects, record, draft, now)
        taken[draft.log, str(draft.event_id)] = draft.client_digest
    return [growth for growth in growths.values() if growth.rows]


def _add(
    growths: dict[str, _Growth],
    subjects: dict[tuple[str, str], tuple[int, bytes]],
    record: Record,
    draft: Draft,
    now: datetime,
) -> Draft:
    """Put an entry at the end of its log. What does not fit into a leaf is recorded as rejected."""
    counted = tuple(
        Subject(ref, subjects.get((draft.log, ref), (0, b""))[0] + 1, subjects.get((draft.log, ref), (0, None))[1])
        for ref in draft.refs
    )
    try:
        leaf = encode(entries.leaf_of(draft, counted, now))
    except (LeafTooLarge, NotCanonical, NotALeaf) as error:
        return _add(growths, subjects, record, entries.rejected(record, type(error).__name__, now), now)
    growth = growths[draft.log]
    digest = leaf_hash(leaf)
    for subject in counted:
        subjects[draft.log, subject.ref] = (subject.n, digest)
        growth.subject_rows.append({"log_id": draft.log, "ref": subject.ref, "n": subject.n, "idx": growth.size})
    growth.rows.append(
        {
            "log_id": draft.log,
            "idx": growth.size,
            "leaf_hash": digest,
            "leaf": leaf,
            "event_id": str(draft.event_id),
            "client_digest": draft.client_digest,
            "type": draft.type,
            "case_id": draft.case_id,
            "actor": f"{draft.actor.kind}:{draft.actor.ref}",
            "occurred_at": entries.instant(draft.occurred_at),
            "recorded_at": entries.instant(now),
            "correlation_id": draft.correlation_id,
            "outcome": draft.outcome,
            "aggregate_id": draft.aggregate and entries.aggregate_ref(draft.source.topic, draft.aggregate),
            "aggregate_version": draft.aggregate.version if draft.aggregate else None,
        }
    )
    for rule in entries.rules_of(draft.data):
        growth.rule_rows.append({"log_id": draft.log, "rule_id": rule, "idx": growth.size})
    growth.frontier.append(digest)
    return draft


async def _heads(tx: Transaction, log_ids: Sequence[str]) -> dict[str, _Growth]:
    dialect = sqlite if tx.session.get_bind().dialect.name == "sqlite" else postgresql
    empty = [{"log_id": log_id, "size": 0, "root": EMPTY_ROOT, "frontier": b""} for log_id in log_ids]
    await tx.session.execute(dialect.insert(HEAD).values(empty).on_conflict_do_nothing())
    rows = await tx.session.execute(
        select(HEAD).where(HEAD.c.log_id.in_(log_ids)).order_by(HEAD.c.log_id).with_for_update()
    )
    return {
        row.log_id: _Growth(row.log_id, row.size, Frontier.from_hashes(row.size, _split(row.frontier))) for row in rows
    }


def _split(packed: bytes) -> list[bytes]:
    return [packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)]


async def _taken(tx: Transaction, drafts: Sequence[Draft]) -> dict[tuple[str, str], bytes]:
    """The event ids of a batch that are in the trail already, with their digests. One query a log: SQLite looks up
    pairs by scanning."""
    taken = {}
    for log_id in sorted({draft.log for draft in drafts}):
        ids = {str(draft.event_id) for draft in drafts if draft.log == log_id}
        rows = await tx.session.execute(
            select(ENTRY.c.event_id, ENTRY.c.client_digest).where(ENTRY.c.log_id == log_id, ENTRY.c.event_id.in_(ids))
        )
        taken.update({(log_id, row.event_id): row.client_digest for row in rows})
    return taken


async def _subject_heads(tx: Transaction, drafts: Sequence[Draft]) -> dict[tuple[str, str], tuple[int, bytes]]:
    """How many entries each subject of the batch has so far, and the hash of the last."""
    heads = {}
    for log_id in sorted({draft.log for draft in drafts}):
        refs = {ref for draft in drafts if draft.log == log_id for ref in draft.refs}
        rows = await tx.session.execute(
            select(SUBJECT_HEAD.c.ref, SUBJECT_HEAD.c.n, SUBJECT_HEAD.c.prev).where(
                SUBJECT_HEAD.c.log_id == log_id, SUBJECT_HEAD.c.ref.in_(refs)
            )
        )
        heads.update({(log_id, row.ref): (row.n, row.prev) for row in rows})
    return heads


async def _store(tx: Transaction, growth: _Growth) -> None:
    """Entries, subjects, full tiles and the head of one log."""
    session, log_id = tx.session, growth.log_id
    await session.execute(insert(ENTRY), growth.rows)
    if growth.subject_rows:
        await session.execute(insert(ENTRY_SUBJECT), growth.subject_rows)
        await _store_subject_heads(tx, growth)
    if growth.rule_rows:
        await session.execute(insert(ENTRY_RULE), growth.rule_rows)
    await _store_aggregate_heads(tx, growth)
    tiles: dict[tuple[int, int], bytes] = {}
    for level, n in full_tiles_completed(growth.old_size, growth.size):
        tiles[level, n] = await _full_tile(tx, growth, level, n, tiles)
    if tiles:
        rows = [{"log_id": log_id, "level": level, "n": n, "hashes": tile} for (level, n), tile in tiles.items()]
        await session.execute(insert(TILE), rows)
    await session.execute(
        update(HEAD)
        .where(HEAD.c.log_id == log_id)
        .values(size=growth.size, root=growth.frontier.root(), frontier=b"".join(growth.frontier.hashes))
    )


async def _store_subject_heads(tx: Transaction, growth: _Growth) -> None:
    last = {row["ref"]: row for row in growth.subject_rows}
    hashes = {row["idx"]: row["leaf_hash"] for row in growth.rows}
    rows = [
        {"log_id": growth.log_id, "ref": ref, "n": row["n"], "prev": hashes[row["idx"]]} for ref, row in last.items()
    ]
    dialect = sqlite if tx.session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(SUBJECT_HEAD)
    await tx.session.execute(
        statement.on_conflict_do_update(
            index_elements=["log_id", "ref"], set_={"n": statement.excluded.n, "prev": statement.excluded.prev}
        ),
        rows,
    )


async def _store_aggregate_heads(tx: Transaction, growth: _Growth) -> None:
    versions: dict[str, int] = {}
    for row in growth.rows:
        if row["aggregate_id"]:
            versions[row["aggregate_id"]] = max(versions.get(row["aggregate_id"], 0), row["aggregate_version"])
    if not versions:
        return
    dialect = sqlite if tx.session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(AGGREGATE_HEAD)
    await tx.session.execute(
        statement.on_conflict_do_update(
            index_elements=["aggregate_id"],
            set_={"version": statement.excluded.version},
            where=AGGREGATE_HEAD.c.version < statement.excluded.version,
        ),
        [{"aggregate_id": key, "version": version} for key, version in versions.items()],
    )


async def _full_tile(
    tx: Transaction, growth: _Growth, level: int, n: int, made: Mapping[tuple[int, int], bytes]
) -> bytes:
    """A tile that this batch has completed, from what was stored before and what is new."""
    first = n * TILE_WIDTH
    if level == 0:
        stored = await tx.session.scalars(
            select(ENTRY.c.leaf_hash)
            .where(ENTRY.c.log_id == growth.log_id, ENTRY.c.idx >= first, ENTRY.c.idx < first + TILE_WIDTH)
            .order_by(ENTRY.c.idx)
        )
        return pack(stored.all())
    rows = await tx.session.execute(
        select(TILE.c.n, TILE.c.hashes).where(
            TILE.c.log_id == growth.log_id,
            TILE.c.level == level - 1,
            TILE.c.n >= first,
            TILE.c.n < first + TILE_WIDTH,
        )
    )
    below = {row.n: row.hashes for row in rows} | {k: tile for (lvl, k), tile in made.items() if lvl == level - 1}
    return tile_above([below[k] for k in range(first, first + TILE_WIDTH)])


async def _move_on(tx: Transaction, positions: Mapping[Partition, tuple[int, str]]) -> None:
    if not positions:
        return
    rows = [
        {"topic": place.topic, "part": place.number, "next_offset": offset, "last_event_id": event_id}
        for place, (offset, event_id) in positions.items()
    ]
    dialect = sqlite if tx.session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(KAFKA_POS)
    await tx.session.execute(
        statement.on_conflict_do_update(
            index_elements=["topic", "part"],
            set_={
                "next_offset": statement.excluded.next_offset,
                "last_event_id": statement.excluded.last_event_id,
            },
        ),
        rows,
    )


async def positions(tx: Transaction, _tables: object, _consumer: str) -> dict[Partition, int]:
    """How far the trail has come in each partition."""
    rows = (await tx.session.execute(select(KAFKA_POS.c.topic, KAFKA_POS.c.part, KAFKA_POS.c.next_offset))).all()
    return {Partition(topic, part): next_offset for topic, part, next_offset in rows}
