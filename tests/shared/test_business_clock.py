"""Data keep the kind of clock that they began with: another one would judge their promises at wrong times."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import select

from services.embedded import PARTS
from shared import migrations
from shared.business_clock import BusinessClock, ClockRefused, KeptClock, clock_to_run
from shared.database import Database
from shared.settings import Settings
from tests.databases import database
from tests.shared.conftest import TABLES, create_tables

MARCH = datetime(2026, 3, 2, tzinfo=UTC)
MAY = datetime(2026, 5, 4, tzinfo=UTC)
RELEASED = {"cases": "0006", "visits": "0008", "followup": "0002", "audit": "0008"}  # the schema of release ec494f3
REAL, SIMULATED, NEW = KeptClock(None), KeptClock(MARCH), None


@pytest.mark.parametrize(
    ("kept", "wanted", "runs"),
    [
        ([NEW, NEW], None, None),
        ([NEW, NEW], MAY, MAY),
        ([REAL, REAL], None, None),
        ([REAL, NEW], None, None),
        ([REAL, REAL], MAY, "real time"),
        ([REAL, NEW], MAY, "real time"),
        ([SIMULATED, SIMULATED], None, MARCH),
        ([SIMULATED, SIMULATED], MARCH, MARCH),
        ([SIMULATED, SIMULATED], MAY, MARCH),
        ([SIMULATED, KeptClock(MAY)], None, MARCH),
        ([SIMULATED, NEW], None, MARCH),
        ([SIMULATED, NEW], MAY, MARCH),
        ([SIMULATED, REAL], None, "do not belong"),
        ([REAL, SIMULATED], MAY, "do not belong"),
    ],
)
def test_what_the_data_have_lived_by_counts(kept, wanted, runs):
    named = dict(zip(("cases", "visits"), kept, strict=True))
    if isinstance(runs, str):
        with pytest.raises(ClockRefused, match=runs):
            clock_to_run(named, wanted)
    else:
        assert clock_to_run(named, wanted) == runs


def test_production_refuses_the_data_of_a_trial():
    with pytest.raises(ClockRefused, match="production refuses"):
        clock_to_run({"cases": SIMULATED}, None, production=True)
    assert clock_to_run({"cases": REAL}, None, production=True) is None


@pytest.fixture
def settings(request, database_kind, tmp_path):
    return Settings(data_dir=tmp_path, **database(request))


@asynccontextmanager
async def opened(settings):
    found = Database(settings, source="cases", outbox=TABLES.bus.outbox)
    try:
        yield found
    finally:
        await found.close()


def clock(wanted):
    return BusinessClock(TABLES.clock, TABLES.bus, wanted)


async def now_of(of, database):
    async with database.reading() as tx:
        return await of.now(tx)


async def test_a_real_clock_is_remembered_from_the_first_start(settings):
    async with opened(settings) as database:
        await create_tables(database.engine)
        await clock(None).begin(database)
        with pytest.raises(ClockRefused):
            await clock(MARCH).begin(database)
        again = clock(None)
        await again.begin(database)
        assert not again.simulated


async def test_a_simulated_clock_goes_on_without_being_asked_for(settings):
    async with opened(settings) as database:
        await create_tables(database.engine)
        first = clock(MARCH)
        await first.begin(database)
        async with database.transaction() as tx:
            tx.now = await first.now(tx)
            await first.move(tx, MARCH + timedelta(days=3))
        for wanted in (None, MARCH, MAY):
            again = clock(wanted)
            await again.begin(database)
            assert again.simulated
            assert await now_of(again, database) == MARCH + timedelta(days=3)
        # A command reads the time before it begins anything: `bus replay` judged by the real time.
        assert await now_of(clock(None), database) == MARCH + timedelta(days=3)


async def test_of_two_first_starts_with_different_clocks_one_is_refused(settings):
    """The first one decides; the second learns it in the same transaction."""
    async with opened(settings) as database:
        await create_tables(database.engine)
        clocks = clock(MARCH), clock(None)
        results = await asyncio.gather(*(each.begin(database) for each in clocks), return_exceptions=True)
        refused = [each for each in results if each is not None]
        assert all(isinstance(each, ClockRefused) for each in refused)
        async with database.reading() as tx:
            kept = await clock(None).kept(tx)
        assert kept == (REAL if refused else SIMULATED)
        assert [each.simulated for each in clocks] == ([True, False] if refused else [True, True])


async def test_real_data_of_a_release_that_noted_no_clock_are_known_by_their_traces(settings):
    async with opened(settings) as database:
        await create_tables(database.engine)
        async with database.transaction() as tx:
            lease = {"name": "cases", "holder": "host:1", "epoch": 1, "expires_at_seconds": 0.0}
            await tx.session.execute(TABLES.bus.lease.insert().values(lease))
        with pytest.raises(ClockRefused):
            await clock(MARCH).begin(database)
        await clock(None).begin(database)
        async with database.reading() as tx:
            assert list(await tx.session.scalars(select(TABLES.clock.clock.c.simulated))) == [False]


@pytest.mark.parametrize("name", PARTS)
def test_a_simulated_clock_of_an_older_release_stays_one(name, tmp_path):
    """The last release wrote a row for a simulated clock only."""
    url, history = f"sqlite+aiosqlite:///{tmp_path}/{name}.sqlite3", PARTS[name].service.migrations
    command.upgrade(migrations.config_of(history, url), RELEASED[name])
    with sqlite3.connect(tmp_path / f"{name}.sqlite3") as connection:
        connection.execute("INSERT INTO business_clock (id, now) VALUES (1, '2026-03-02 00:00:00')")
    connection.close()
    migrations.upgrade(history, url)
    with sqlite3.connect(tmp_path / f"{name}.sqlite3") as connection:
        assert connection.execute("SELECT now, simulated FROM business_clock").fetchall() == [
            ("2026-03-02 00:00:00", 1)
        ]
    connection.close()
