"""The business clock of a service: the system's time, or a simulated one that stands in the service's database.

A simulated clock is read in every transaction, so all processes of a service follow it; it moves forward only,
and only when the service is quiet: its outbox empty, its lag 0, and its timers run for the time that it shows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column as C
from sqlalchemy import Integer, MetaData, Table, Text, insert, select, update

from shared.bus.inbox import upsert
from shared.clock import system_now
from shared.database import Database, Transaction, UtcTime
from shared.errors import Conflict


@dataclass(frozen=True, slots=True)
class ClockTables:
    clock: Table
    timer_run: Table


def clock_tables(metadata: MetaData) -> ClockTables:
    clock = Table("business_clock", metadata, C("id", Integer, primary_key=True), C("now", UtcTime, nullable=False))
    timer_run = Table("timer_run", metadata, C("name", Text, primary_key=True), C("ran_for", UtcTime, nullable=False))
    return ClockTables(clock, timer_run)


class BusinessClock:
    """`start` is the simulated start, or None for the real time."""

    def __init__(self, tables: ClockTables, start: datetime | None) -> None:
        self._tables = tables
        self._start = start

    @property
    def simulated(self) -> bool:
        return self._start is not None

    async def begin(self, database: Database) -> None:
        """Write the simulated start, unless the clock runs already (a restart goes on where it was)."""
        if self._start is None:
            return
        async with database.transaction() as tx:
            start = upsert(tx, self._tables.clock).values(id=1, now=self._start)
            await tx.session.execute(start.on_conflict_do_nothing())

    async def now(self, tx: Transaction) -> datetime:
        """Business time, in UTC."""
        if self._start is None:
            return system_now()
        return await tx.session.scalar(select(self._tables.clock.c.now)) or self._start

    async def move(self, tx: Transaction, to: datetime) -> None:
        """Move the simulated clock forward. Raises Conflict where it is real, or would go back."""
        if self._start is None:
            raise Conflict("clock-is-real", "This system runs on the real time; only a simulated clock can be moved.")
        if to < await self.now(tx):
            raise Conflict("clock-goes-forward", "The business clock never goes back.")
        await tx.session.execute(update(self._tables.clock).values(now=to))
        tx.now = to.astimezone(UTC)
        tx.wake_worker()

    async def timer_ran(self, tx: Transaction, name: str, ran_for: datetime) -> None:
        """Note that a timer has done all that was due at this time. Kept for a simulated clock only."""
        known = await tx.session.execute(
            update(self._tables.timer_run).where(self._tables.timer_run.c.name == name).values(ran_for=ran_for)
        )
        if not known.rowcount:  # type: ignore[attr-defined]
            await tx.session.execute(insert(self._tables.timer_run).values(name=name, ran_for=ran_for))

    async def timers_behind(self, tx: Transaction, names: frozenset[str]) -> list[str]:
        """The timers that have not run for the present time, which is `tx.now`, yet."""
        runs = await tx.session.execute(select(self._tables.timer_run))
        ran = {row.name for row in runs if row.ran_for >= tx.now}
        return sorted(names - ran)
