"""Streams: items that readers follow, each stream in one order and without a gap. A writer adds an item in the
transaction of its change. After the commit a timer gives it its position, 1, 2, 3 … in its stream: the database's own
numbers follow the order of writing, not of commits, so a reader that goes on after the greatest number would miss what
commits later. A reader needs nothing but the position that it has reached.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, MetaData, Select, Table, Text, delete, func, insert, select, update
from sqlalchemy import Column as C

from shared.bulk import insert_into
from shared.clock import system_now
from shared.database import BigId, Transaction, UtcTime
from shared.errors import Gone, Invalid
from shared.runtime import Runtime, Timer
from shared.tenants import owned

PAGE_ITEMS_MAX = 200
NUMBERED_AT_ONCE_MAX = 1_000
FORGOTTEN_AT_ONCE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Item:
    """What a reader gets. `position`: where a reader that has seen it goes on."""

    position: int
    kind: str
    data: Any


@dataclass(frozen=True, slots=True)
class Batch:
    """The next items of a stream. `ended`: none will come after them."""

    items: Sequence[Item]
    ended: bool = False


Read = Callable[[Transaction, int], Awaitable[Batch]]
"""The items after a position, at most a page of them. Raises Gone where items after it are deleted, Invalid where the
stream has not come so far. It depends on nothing but the position: after a restart it goes on the same."""


class Streams:
    """The streams of one service: its two tables. Items are deleted when they are older than `kept`."""

    def __init__(self, metadata: MetaData, *, kept: timedelta) -> None:
        self.kept = kept
        self.stream = Table(
            "stream",
            metadata,
            C("name", Text, primary_key=True),
            C("lender_id", Text),
            C("last", BigInteger, nullable=False),
            **owned(tenant="lender_id"),
        )
        self.item = item = Table(
            "stream_item",
            metadata,
            C("seq", BigId, primary_key=True, autoincrement=True),
            C("stream", Text, nullable=False),
            C("lender_id", Text),
            C("kind", Text, nullable=False),
            C("data", JSON, nullable=False),
            C("added_at", UtcTime, nullable=False),
            C("position", BigInteger),
            Index("uq_stream_item_position", "stream", "position", unique=True),
            Index("ix_stream_item_added_at", "added_at"),
            **owned(tenant="lender_id"),
        )
        waiting = item.c.position.is_(None)
        Index("ix_stream_item_waiting", item.c.seq, sqlite_where=waiting, postgresql_where=waiting)

    async def add(
        self, tx: Transaction, stream: str, kind: str, data: dict[str, Any], *, lender_id: str | None = None
    ) -> None:
        """Add an item to a stream. All items of a stream have the same lender, or none: then no lender reads it."""
        row = {"stream": stream, "lender_id": lender_id, "kind": kind, "data": data, "added_at": system_now()}
        await tx.session.execute(insert(self.item).values(row))
        tx.wake_worker()

    async def after(self, tx: Transaction, stream: str, position: int) -> Batch:
        """The items after a position, at most 200. Raises Gone and Invalid, as `Read` says."""
        last = await tx.session.scalar(select(self.stream.c.last).where(self.stream.c.name == stream)) or 0
        if position > last:
            raise Invalid(
                "position-ahead",
                f"The stream has come to position {last}. Go on from 0 to {last}, and read again what you keep.",
            )
        item = self.item.c
        rows = await tx.session.execute(
            select(item.position, item.kind, item.data)
            .where(item.stream == stream, item.position > position)
            .order_by(item.position)
            .limit(PAGE_ITEMS_MAX)
        )
        items = [Item(*row) for row in rows]
        first = items[0].position if items else last + 1
        if first > position + 1:
            raise Gone(
                "position-gone",
                f"Items up to position {first - 1} are deleted. Read the present state, then go on from there.",
            )
        return Batch(items)

    async def oldest(self, tx: Transaction, stream: str) -> int:
        """The position from which a reader gets all items that are kept."""
        first = select(func.min(self.item.c.position)).where(self.item.c.stream == stream).scalar_subquery()
        last = select(self.stream.c.last).where(self.stream.c.name == stream).scalar_subquery()
        return (await tx.session.scalar(select(func.coalesce(first - 1, last, 0)))) or 0

    async def is_waiting(self, tx: Transaction, stream: str | None = None) -> bool:
        """Whether an item, of this stream if one is named, has no position yet."""
        waiting = select(self.item.c.seq).where(self.item.c.position.is_(None))
        if stream is not None:
            waiting = waiting.where(self.item.c.stream == stream)
        return await tx.session.scalar(waiting.limit(1)) is not None

    def timer(self) -> Timer:
        """Gives positions and deletes old items: for the worker of the service."""
        return Timer("streams", self._work)

    async def _work(self, runtime: Runtime) -> int:
        async with runtime.database.reading() as tx:
            waiting, old = await self.is_waiting(tx), await tx.session.scalar(self._old().limit(1)) is not None
        if not waiting and not old:
            return 0
        async with runtime.database.transaction() as tx:
            return await self.number(tx) if waiting else await self._delete_old(tx)

    async def number(self, tx: Transaction) -> int:
        """Give positions to items that wait for one, at most 1,000, in the order of writing. Returns how many. The
        rows of their streams are locked first: of two processes one works on a stream at a time."""
        item, stream = self.item.c, self.stream.c
        oldest = select(item.seq).where(item.position.is_(None)).order_by(item.seq).limit(NUMBERED_AT_ONCE_MAX)
        found = select(item.stream, item.lender_id).where(item.seq.in_(oldest)).distinct().order_by(item.stream)
        rows = [{"name": name, "lender_id": lender, "last": 0} for name, lender in await tx.session.execute(found)]
        if not rows:
            return 0
        await tx.session.execute(insert_into(tx, self.stream).on_conflict_do_nothing(), rows)
        names = [row["name"] for row in rows]
        locked = select(stream.name).where(stream.name.in_(names)).order_by(stream.name).with_for_update()
        await tx.session.execute(locked)
        place = func.row_number().over(partition_by=item.stream, order_by=item.seq)
        numbered = (
            select(item.seq, (stream.last + place).label("position"))
            .join(self.stream, stream.name == item.stream)
            .where(item.seq.in_(oldest), item.stream.in_(names))
            .subquery()
        )
        done = await tx.session.execute(
            update(self.item).where(item.seq == numbered.c.seq).values(position=numbered.c.position).returning(item.seq)
        )
        last = select(func.max(item.position)).where(item.stream == stream.name).scalar_subquery()
        await tx.session.execute(update(self.stream).where(stream.name.in_(names)).values(last=last))
        return len(done.all())

    def _old(self) -> Select[int]:
        item = self.item.c
        too_old = item.added_at < system_now() - self.kept, item.position.is_not(None)
        return select(item.seq).where(*too_old).order_by(item.added_at)

    async def _delete_old(self, tx: Transaction) -> int:
        old = self._old().limit(FORGOTTEN_AT_ONCE_MAX)
        gone = await tx.session.execute(delete(self.item).where(self.item.c.seq.in_(old)).returning(self.item.c.seq))
        return len(gone.all())
