"""The relay: takes a service's outbox to the bus. One relay a service, by a lease with a fencing epoch.

No database transaction is open while it sends; a row is marked as published only while the lease is still its own.
"""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    Row,
    Select,
    Table,
    any_,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from shared.bus.lease import Lease, LeaseLost
from shared.bus.status import outbox_status
from shared.bus.tables import BusTables
from shared.bus.transport import Message, Transport, TransportClosed, TransportDown, Unsendable
from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY, Database, Transaction, UtcTime
from shared.telemetry import (
    OUTBOX_OLDEST_SECONDS,
    OUTBOX_PARKED_KEYS,
    OUTBOX_PENDING,
    RELAY_EPOCH,
    RELAY_ERRORS,
    RELAY_PUBLISH_SECONDS,
    RELAY_WAVE_ROWS,
    RELAYED,
    Log,
    Throttled,
)

WAVE_ROWS_MAX = 500
LOOK_AGAIN_SECONDS = 1.0
BACK_OFF_SECONDS_MAX = 10.0
PUBLISHED_ROWS_KEPT_SECONDS = 3600
PURGE_EVERY_SECONDS = 60.0
MEASURE_EVERY_SECONDS = 5.0
PURGE_ROWS_MAX = 5_000

_log = Log("relay")


class Relay:
    """Publishes the outbox of one service."""

    def __init__(self, database: Database, tables: BusTables, transport: Transport, *, wake: asyncio.Event) -> None:
        self._database = database
        self._tables = tables
        self._transport = transport
        self._lease = Lease(database, tables.lease, database.source)
        self._wake = wake
        self._next_wave = _next_wave(tables.outbox)
        self._marking = _marking(tables.outbox, self._lease, database)
        self._purged_at = monotonic_seconds()
        self._measured_at = 0.0
        self._trouble = Throttled(_log)
        self.under_way = asyncio.Lock()  # held while a wave is: who takes it and keeps it drains this relay

    async def run(self) -> None:
        """Publish for ever, until cancelled or the transport is closed."""
        back_off_seconds = 0.1
        while True:
            try:
                async with self.under_way:
                    relayed = await self.relay_once() if await self._lease.holds() else 0
                await self._measure_now_and_then()
                if relayed < WAVE_ROWS_MAX:
                    await self._purge_now_and_then()
                back_off_seconds = 0.1
            except TransportClosed:
                return
            except LeaseLost:
                self._lease.lose()
                relayed = 0
            except (TransportDown, *AWAY) as error:
                self._lease.lose()  # taking it is a write: a wave that cannot be marked is not sent again and again
                RELAY_ERRORS.labels(self._database.source).inc()
                if not isinstance(error, TransportDown):  # of which the transport itself tells
                    self._trouble.warning("database away", service=self._database.source, reason=type(error).__name__)
                await asyncio.sleep(back_off_seconds)
                back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
                continue
            if relayed < WAVE_ROWS_MAX:
                await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_SECONDS)
        self._wake.clear()

    async def relay_once(self) -> int:
        """Publish one wave: at most 500 rows, by seq, of keys that are not parked. Returns how many."""
        async with self._database.reading() as tx:
            rows = (await tx.session.execute(self._next_wave)).all()
        if not rows:
            return 0
        service = self._database.source
        RELAY_EPOCH.labels(service).set(self._lease.epoch)
        RELAY_WAVE_ROWS.labels(service).observe(len(rows))
        try:
            with RELAY_PUBLISH_SECONDS.labels(service).time():
                await self._transport.append([_message(row) for row in rows])
        except Unsendable as error:
            await self._park([rows[place].seq for place in error.places], str(error))
            return len(rows)
        await self._mark([row.seq for row in rows])
        RELAYED.labels(service).inc(len(rows))
        return len(rows)

    async def _mark(self, seqs: list[int]) -> None:
        async with self._database.transaction() as tx:
            marked = await tx.session.execute(self._marking, {"seqs": seqs, "at": system_now()})
            if len(marked.all()) != len(seqs):
                raise LeaseLost

    async def _park(self, seqs: list[int], reason: str) -> None:
        """What can never be sent waits, and its key with it; other keys go on."""
        outbox = self._tables.outbox
        async with self._database.transaction() as tx:
            await tx.session.execute(
                update(outbox)
                .where(outbox.c.seq.in_(seqs), self._lease.still_mine)
                .values(parked_at=system_now(), last_error=reason, attempts=outbox.c.attempts + 1)
            )
        _log.error("event cannot be sent", service=self._database.source, reason=reason, rows=len(seqs))

    async def _measure_now_and_then(self) -> None:
        if monotonic_seconds() - self._measured_at < MEASURE_EVERY_SECONDS:
            return
        self._measured_at = monotonic_seconds()
        service = self._database.source
        async with self._database.reading() as tx:
            found = await outbox_status(tx, self._tables)
        OUTBOX_PENDING.labels(service).set(found.pending)
        OUTBOX_OLDEST_SECONDS.labels(service).set(found.oldest_seconds)
        OUTBOX_PARKED_KEYS.labels(service).set(found.parked_keys)

    async def _purge_now_and_then(self) -> None:
        """Published rows are of no use after a while; they are removed in chunks."""
        if monotonic_seconds() - self._purged_at < PURGE_EVERY_SECONDS:
            return
        self._purged_at = monotonic_seconds()
        outbox = self._tables.outbox
        before = system_now() - timedelta(seconds=PUBLISHED_ROWS_KEPT_SECONDS)
        async with self._database.transaction() as tx:
            old = (
                select(outbox.c.seq).where(outbox.c.published_at < before).order_by(outbox.c.seq).limit(PURGE_ROWS_MAX)
            )
            await tx.session.execute(delete(outbox).where(outbox.c.seq.in_(old)))


async def outbox_pending(tx: Transaction, tables: BusTables) -> int:
    """How many events wait to be published."""
    outbox = tables.outbox
    return await tx.session.scalar(select(func.count()).where(outbox.c.published_at.is_(None))) or 0


def _next_wave(outbox: Table) -> Select[Any, Any, Any, Any, Any]:
    """One wave of what waits: by seq, of keys that are not parked."""
    parked = select(outbox.c.key).where(outbox.c.parked_at.is_not(None), outbox.c.published_at.is_(None))
    return (
        select(outbox.c.seq, outbox.c.topic, outbox.c.key, outbox.c.headers, outbox.c.payload)
        .where(outbox.c.published_at.is_(None), outbox.c.key.not_in(parked))
        .order_by(outbox.c.seq)
        .limit(WAVE_ROWS_MAX)
    )


def _marking(outbox: Table, lease: Lease, database: Database) -> ReturningUpdate[int]:
    """Marks rows, while the lease is held. Their numbers are one parameter: the statement is the same for any count."""
    these: ColumnElement[bool]
    if database.is_sqlite:
        listed = func.json_each(bindparam("seqs", type_=JSON)).table_valued("value")
        these = outbox.c.seq.in_(select(listed.c.value))
    else:
        these = outbox.c.seq == any_(bindparam("seqs", type_=ARRAY(BigInteger)))
    marking = update(outbox).where(these, lease.still_mine)
    return marking.values(published_at=bindparam("at", type_=UtcTime)).returning(outbox.c.seq)


def _message(row: Row[Any, Any, Any, Any, Any]) -> Message:
    return Message(row.topic, str(row.key), from_json(row.headers), row.payload)
