"""The bus of the embedded form: a durable, partitioned log in one SQLite file, with consumer groups.

Several processes may use the file; a commit by a member that lost its partition to another is refused.
"""

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

from shared.bus.transport import (
    Message,
    Partition,
    Record,
    StaleMember,
    TransportClosed,
    TransportDown,
    refuse_unsendable,
)
from shared.events.registry import partitions_of
from shared.storage import says_full
from shared.telemetry import Log, Throttled

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
  topic TEXT NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL,
  key TEXT NOT NULL, headers TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (topic, part, off)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offsets (
  grp TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL, epoch INTEGER NOT NULL,
  PRIMARY KEY (grp, topic, part)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
  grp TEXT NOT NULL, member TEXT NOT NULL, topics TEXT NOT NULL, seen_at REAL NOT NULL,
  PRIMARY KEY (grp, member)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (grp TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

MEMBER_SILENT_SECONDS_MAX = 10.0
HISTORY_RECORDS_MAX = 500
_HEARTBEAT_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 1.0
# Under load more records come at once: reading them together costs one transaction instead of several.
_LINGER_SECONDS = 0.01

_log = Log("bus")

# Subscribers of the same process are woken by an append; those of other processes look again by themselves.
_wakeups: dict[Path, set[asyncio.Event]] = {}


def partition_of(topic: str, key: str) -> int:
    """The same key always goes to the same partition."""
    return crc32(key.encode()) % partitions_of(topic)


class EmbeddedTransport:
    """The log in one SQLite file. Every append is on disk before it is acknowledged (WAL, synchronous FULL)."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._db: sqlite3.Connection | None = None
        self._lock = asyncio.Lock()
        self._subscriptions: set[EmbeddedSubscription] = set()
        self._trouble = Throttled(_log)

    async def start(self) -> None:
        if self._db is None:
            try:
                self._db = await asyncio.to_thread(self._open)
            except sqlite3.OperationalError as error:
                raise self._down(error) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(_SCHEMA)
        return db

    def _down(self, error: sqlite3.OperationalError) -> TransportDown:
        """The exception to raise, once it is logged."""
        what = "the disk of the bus is full" if says_full(error) else "the bus cannot use its file"
        self._trouble.warning(what, reason=error.sqlite_errorname)
        return TransportDown(what)

    async def run(self, work: Any, *arguments: Any, write: bool = False) -> Any:
        """Run `work(db, *arguments)` in a thread, one at a time; in one immediate transaction if it writes. A thread
        cannot be cancelled: no other task gets the connection before it is done. Raises TransportDown while the file
        cannot be written or read, as on a full disk."""
        async with self._lock:
            db = self._db
            if db is None:
                raise TransportClosed("the bus is closed")
            how = _in_transaction if write else _plainly
            working = asyncio.create_task(asyncio.to_thread(how, db, work, arguments))
            try:
                return await asyncio.shield(working)
            except sqlite3.OperationalError as error:
                raise self._down(error) from error
            finally:
                while not working.done():
                    with contextlib.suppress(asyncio.CancelledError):  # the first one goes on up
                        await asyncio.wait([working])

    async def append(self, messages: Sequence[Message]) -> None:
        refuse_unsendable(messages)
        if messages:
            await self.run(_append, messages, write=True)
            for waiting in _wakeups.get(self._path, ()):
                waiting.set()

    async def subscribe(self, group: str, topics: Sequence[str]) -> "EmbeddedSubscription":
        subscription = EmbeddedSubscription(self, group, sorted(topics))
        _wakeups.setdefault(self._path, set()).add(subscription.wake)
        await subscription.join()
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: "EmbeddedSubscription") -> None:
        self._subscriptions.discard(subscription)
        _wakeups.get(self._path, set()).discard(subscription.wake)

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        ends: dict[Partition, int] = await self.run(_ends, topics)
        return ends

    async def history(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        for place, (start, end) in spans.items():
            while start < end:
                found = await self.run(_read, {place: start}, min(HISTORY_RECORDS_MAX, end - start))
                if place not in found:
                    break
                start = found[place][-1].offset + 1
                yield found[place]

    async def close(self) -> None:
        for subscription in list(self._subscriptions):
            await subscription.close()
        async with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None


class EmbeddedSubscription:
    """One member of a group: it owns the partitions whose number modulo the members' count is its rank."""

    def __init__(self, transport: EmbeddedTransport, group: str, topics: list[str]) -> None:
        self._transport = transport
        self._group = group
        self._topics = topics
        self._member = uuid4().hex
        self._epoch = -1
        self._positions: dict[Partition, int] = {}
        self._heartbeat_at = 0.0
        self.wake = asyncio.Event()

    async def join(self) -> None:
        await self._transport.run(_beat, self._group, self._member, self._topics, write=True)
        await self._refresh()

    async def _refresh(self) -> None:
        """Say that this member is alive, and learn which partitions are its own."""
        if time.monotonic() - self._heartbeat_at > _HEARTBEAT_SECONDS:
            await self._transport.run(_beat, self._group, self._member, self._topics, write=True)
            self._heartbeat_at = time.monotonic()
        epoch, owned = await self._transport.run(_owned, self._group, self._member, self._topics)
        if epoch != self._epoch:
            self._epoch = epoch
            committed = await self._transport.run(_committed, self._group)
            self._positions = {partition: committed.get(partition, 0) for partition in owned}

    async def poll(self, *, records_max: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        deadline = time.monotonic() + timeout_seconds
        while True:
            self.wake.clear()
            await self._refresh()
            batches: dict[Partition, list[Record]] = await self._transport.run(_read, self._positions, records_max)
            remaining = deadline - time.monotonic()
            if batches or remaining <= 0:
                for partition, records in batches.items():
                    self._positions[partition] = records[-1].offset + 1
                return batches
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), min(remaining, _LOOK_AGAIN_SECONDS))
                await asyncio.sleep(_LINGER_SECONDS)

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        await self._transport.run(_commit, self._group, self._epoch, dict(offsets), write=True)

    async def seek(self, partition: Partition, offset: int) -> None:
        if partition in self._positions:
            self._positions[partition] = offset

    @property
    def assigned(self) -> set[Partition]:
        return set(self._positions)

    async def close(self) -> None:
        self._transport.forget(self)
        # Where the file is closed already, or its disk is full, the other members notice the silence.
        with contextlib.suppress(TransportClosed, TransportDown):
            await self._transport.run(_leave, self._group, self._member, write=True)


def _plainly(db: sqlite3.Connection, work: Any, arguments: tuple[Any, ...]) -> Any:
    return work(db, *arguments)


def _in_transaction(db: sqlite3.Connection, work: Any, arguments: tuple[Any, ...]) -> Any:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db, *arguments)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk made SQLite roll back by itself
            db.execute("ROLLBACK")
        raise
    return result


def _append(db: sqlite3.Connection, messages: Sequence[Message]) -> None:
    ends: dict[tuple[str, int], int] = {}
    rows = []
    for message in messages:
        place = (message.topic, partition_of(message.topic, message.key))
        if place not in ends:
            ends[place] = _end(db, *place)
        headers = json.dumps(dict(message.headers), ensure_ascii=False)
        rows.append((*place, ends[place], message.key, headers, message.value))
        ends[place] += 1
    db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)


def _end(db: sqlite3.Connection, topic: str, part: int) -> int:
    row = db.execute("SELECT coalesce(max(off) + 1, 0) FROM log WHERE topic = ? AND part = ?", (topic, part))
    return int(row.fetchone()[0])


def _ends(db: sqlite3.Connection, topics: Sequence[str]) -> dict[Partition, int]:
    places = [Partition(topic, number) for topic in topics for number in range(partitions_of(topic))]
    return {place: _end(db, *place) for place in places}


def _beat(db: sqlite3.Connection, group: str, member: str, topics: list[str]) -> None:
    """Note that the member lives; a change of the set of members starts a new epoch."""
    now = time.time()
    gone = db.execute(
        "DELETE FROM members WHERE grp = ? AND seen_at < ?", (group, now - MEMBER_SILENT_SECONDS_MAX)
    ).rowcount
    known = db.execute("UPDATE members SET seen_at = ? WHERE grp = ? AND member = ?", (now, group, member)).rowcount
    if not known:
        db.execute("INSERT INTO members VALUES (?, ?, ?, ?)", (group, member, json.dumps(topics), now))
    if gone or not known:
        _next_epoch(db, group)


def _next_epoch(db: sqlite3.Connection, group: str) -> None:
    db.execute("INSERT INTO groups VALUES (?, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1", (group,))


def _leave(db: sqlite3.Connection, group: str, member: str) -> None:
    db.execute("DELETE FROM members WHERE grp = ? AND member = ?", (group, member))
    _next_epoch(db, group)


def _owned(db: sqlite3.Connection, group: str, member: str, topics: list[str]) -> tuple[int, list[Partition]]:
    epoch = db.execute("SELECT epoch FROM groups WHERE grp = ?", (group,)).fetchone()[0]
    members = [row[0] for row in db.execute("SELECT member FROM members WHERE grp = ? ORDER BY member", (group,))]
    if member not in members:
        return epoch, []
    places = [Partition(topic, number) for topic in topics for number in range(partitions_of(topic))]
    return epoch, [place for rank, place in enumerate(places) if rank % len(members) == members.index(member)]


def _committed(db: sqlite3.Connection, group: str) -> dict[Partition, int]:
    rows = db.execute("SELECT topic, part, off FROM offsets WHERE grp = ?", (group,))
    return {Partition(topic, part): off for topic, part, off in rows}


def _read(db: sqlite3.Connection, positions: dict[Partition, int], records_max: int) -> dict[Partition, list[Record]]:
    batches: dict[Partition, list[Record]] = {}
    for place, start in positions.items():
        if records_max <= 0:
            break
        rows = db.execute(
            "SELECT off, key, headers, value FROM log WHERE topic = ? AND part = ? AND off >= ? ORDER BY off LIMIT ?",
            (*place, start, records_max),
        ).fetchall()
        if rows:
            records_max -= len(rows)
            batches[place] = [Record(place, off, key, json.loads(headers), value) for off, key, headers, value in rows]
    return batches


def _commit(db: sqlite3.Connection, group: str, epoch: int, offsets: dict[Partition, int]) -> None:
    current = db.execute("SELECT epoch FROM groups WHERE grp = ?", (group,)).fetchone()[0]
    if current != epoch:
        raise StaleMember(f"group {group} is at epoch {current}, this member at {epoch}")
    db.executemany(
        "INSERT INTO offsets VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET off = excluded.off, epoch = excluded.epoch",
        [(group, *place, offset, epoch) for place, offset in offsets.items()],
    )
