"""The business clock of a service: the system's time, or a simulated one that is stored in the service's database.

A database keeps for ever the kind of clock that it began with: another clock would judge its promises at wrong times.
A simulated clock is read in every transaction, so all processes of a service follow it; it moves forward only,
and only when the service is quiet: its outbox empty, its lag 0, and its timers run for the time that it shows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Boolean, Integer, MetaData, Table, Text, insert, select, true, update
from sqlalchemy import Column as C

from shared.bulk import insert_into
from shared.bus.tables import BusTables
from shared.clock import system_now
from shared.database import Database, Transaction, UtcTime
from shared.errors import Conflict
from shared.settings import SettingsRefused
from shared.telemetry import Log
from shared.tenants import owned

_log = Log("clock")


class ClockRefused(SettingsRefused):
    """The clock that was asked for is not the clock that these data have lived by."""


@dataclass(frozen=True, slots=True)
class ClockTables:
    clock: Table
    timer_run: Table


def clock_tables(metadata: MetaData) -> ClockTables:
    """`business_clock` has one row once the service has started: `now` is the simulated time; of a real clock, the
    time of the first start."""
    clock = Table(
        "business_clock",
        metadata,
        C("id", Integer, primary_key=True),
        C("now", UtcTime, nullable=False),
        C("simulated", Boolean, nullable=False, server_default=true()),
        **owned(tenant=None, because="The time is the same for all."),
    )
    timer_run = Table(
        "timer_run",
        metadata,
        C("name", Text, primary_key=True),
        C("ran_for", UtcTime, nullable=False),
        **owned(tenant=None, because="Of the worker."),
    )
    return ClockTables(clock, timer_run)


@dataclass(frozen=True, slots=True)
class KeptClock:
    """The clock that a database has lived by: simulated and at this time, or real (`now` is None)."""

    now: datetime | None


def clock_to_run(
    kept: Mapping[str, KeptClock | None], wanted: datetime | None, *, production: bool = False
) -> datetime | None:
    """The simulated time at which these services go on or begin; None for the real clock.

    `kept` names each service's clock, None for a database that has not lived yet. `wanted` is a start for data that
    have not lived yet; of a simulation that runs, the stored time counts, so that a restart by the same command goes
    on where it was. Raises ClockRefused.
    """
    simulated = {name: clock.now for name, clock in kept.items() if clock is not None and clock.now is not None}
    real = [name for name, clock in kept.items() if clock is not None and clock.now is None]
    if simulated and real:
        raise ClockRefused(
            f"The clock of {_names(simulated)} is simulated, that of {_names(real)} is real: these data do not belong "
            "together. Restore all of them from one backup."
        )
    if real and wanted is not None:
        raise ClockRefused(
            f"The data of {_names(real)} have lived by the real time. A simulated clock would judge their promises at "
            "wrong times. Leave out --clock and DOORSTEP_CLOCK, or name an empty data folder or database."
        )
    if simulated and production:
        raise ClockRefused(
            f"The clock of {_names(simulated)} is simulated: these are the data of a trial, and production refuses "
            "them. Name another database in DOORSTEP_DATABASE_URL."
        )
    return min(simulated.values()) if simulated else wanted


def _names(services: Iterable[str]) -> str:
    return ", ".join(sorted(services))


class BusinessClock:
    """The clock of one service. `wanted` is the simulated start for data that have not lived yet, None for the real
    time. What the database says counts, from the first look at it on."""

    def __init__(
        self, tables: ClockTables, bus: BusTables, wanted: datetime | None, *, production: bool = False
    ) -> None:
        self.wanted = wanted
        self._tables = tables
        self._bus = bus
        self._production = production
        self._known = False
        self._start = wanted

    @property
    def simulated(self) -> bool:
        return self._start is not None

    async def kept(self, tx: Transaction) -> KeptClock | None:
        """The clock that this database has lived by, None if it has not lived yet."""
        stored = await self._stored(tx)
        if stored is not None:
            return stored
        # Data of a release that did not note a real clock: its relay took the lease at once, its API wrote events.
        for traces in (self._bus.lease, self._bus.outbox):
            if (await tx.session.execute(select(traces.c[0]).limit(1))).first() is not None:
                return KeptClock(None)
        return None

    async def _stored(self, tx: Transaction) -> KeptClock | None:
        clock = self._tables.clock
        row = (await tx.session.execute(select(clock.c.now, clock.c.simulated))).one_or_none()
        return None if row is None else KeptClock(row.now if row.simulated else None)

    async def begin(self, database: Database) -> None:
        """Store which clock this database lives by, unless it is stored. Raises ClockRefused."""
        async with database.reading() as tx:
            stored = await self._stored(tx)  # before the clock is learnt: another process may store one in between
            await self._learn(tx)
        if stored is None:
            async with database.transaction() as tx:
                values = {"id": 1, "now": self._start or system_now(), "simulated": self.simulated}
                await tx.session.execute(insert_into(tx, self._tables.clock).values(values).on_conflict_do_nothing())
                await self._learn(tx)  # another process of the service may have been first
        if self.simulated and self.wanted is None:
            _log.warning("the business clock is simulated, and goes on where it was", service=database.source)

    async def _learn(self, tx: Transaction) -> None:
        kept = {tx.source: await self.kept(tx)}
        self._start = clock_to_run(kept, self.wanted, production=self._production)
        self._known = True

    async def now(self, tx: Transaction) -> datetime:
        """Business time, in UTC."""
        if not self._known:
            await self._learn(tx)
        if self._start is None:
            return system_now()
        return await tx.session.scalar(select(self._tables.clock.c.now)) or self._start

    async def move(self, tx: Transaction, to: datetime) -> None:
        """Move the simulated clock forward. Raises Conflict where it is real, or would go back."""
        if self._start is None:
            raise Conflict("clock-is-real", "This system runs on real time: only a simulated clock can be moved.")
        if to < await self.now(tx):
            raise Conflict(
                "clock-goes-forward", "`to` must not be before the clock's present time: it never goes back."
            )
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
