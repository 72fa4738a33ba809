"""Streams: each item is seen once, from any position, no matter who writes, numbers, reads or stops meanwhile."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import MetaData, update

from shared.auth import LEEWAY_SECONDS, Actor
from shared.clock import system_now
from shared.database import Context
from shared.errors import Gone, Invalid
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.streams import PAGE_ITEMS_MAX, Batch, Item, Streams
from shared.web.streams import Reading, begin, follow
from tests.databases import database

METADATA = MetaData()
STREAMS = Streams(METADATA, kept=timedelta(days=7))
SERVICE = Service("cases", service_tables(METADATA), Path("unused"))
OTHER = Context(lender_id="lender-2")


@pytest.fixture
async def runtime(request, database_kind, tmp_path):
    runtime = Runtime(SERVICE, Settings(data_dir=tmp_path, **database(request)))
    async with runtime.database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await runtime.start()
    yield runtime
    await runtime.close()


@asynccontextmanager
async def adding(runtime, stream, *values, lender_id=None):
    """A transaction that has added items and has not committed yet."""
    async with runtime.database.transaction() as tx:
        for value in values:
            await STREAMS.add(tx, stream, "item", {"value": value}, lender_id=lender_id)
        yield


async def add(runtime, stream, *values, lender_id=None):
    async with adding(runtime, stream, *values, lender_id=lender_id):
        pass


async def work(runtime):
    """The worker, until nothing is left to do. Returns how much it did."""
    done = 0
    while some := await STREAMS.timer().run(runtime):
        done += some
    return done


async def read(runtime, stream, position=0, context=None):
    """Positions and values of all items after a position, page by page."""
    found = []
    while True:
        async with runtime.database.reading(context) as tx:
            batch = await STREAMS.after(tx, stream, position)
        if not batch.items:
            return found
        found += [(item.position, item.data["value"]) for item in batch.items]
        position = batch.items[-1].position


@pytest.mark.dialect
async def test_eight_writers_that_commit_out_of_order_lose_and_double_nothing(runtime):
    """Readers follow from the beginning while writers, each with some open transactions, commit later than they write
    and two workers give positions."""
    writing = asyncio.Event()
    writing.set()

    async def writer(number):
        for turn in range(6):
            async with adding(runtime, f"s-{turn % 2}", *(f"{number}-{turn}-{each}" for each in range(2))):
                await asyncio.sleep(0.001 * ((number * 5 + turn * 3) % 8))  # a late commit of an early number

    async def worker():
        while writing.is_set():
            await work(runtime)
            await asyncio.sleep(0.002)

    async def reader(stream):
        seen, position = [], 0
        while len(seen) < 48:
            found = await read(runtime, stream, position)
            seen += found
            position = found[-1][0] if found else position
            await asyncio.sleep(0.002)
        return seen

    async with asyncio.timeout(30):
        workers = [asyncio.create_task(worker()) for _ in range(2)]
        readers = [asyncio.create_task(reader(f"s-{number}")) for number in range(2)]
        await asyncio.gather(*map(writer, range(8)))
        live = await asyncio.gather(*readers)
        writing.clear()
        await asyncio.gather(*workers)
    for number, seen in enumerate(live):
        assert [position for position, _ in seen] == list(range(1, 49)), "no gap, no double, in order"
        assert len({value for _, value in seen}) == 48
        for position in (0, 1, 17, 47, 48):
            assert await read(runtime, f"s-{number}", position) == seen[position:]


@pytest.mark.dialect
async def test_an_item_has_no_position_before_its_commit_nor_after_a_rollback(runtime):
    async with adding(runtime, "s", "late"):
        assert await work(runtime) == 0
    with pytest.raises(ZeroDivisionError):
        async with adding(runtime, "s", "never"):
            _ = 1 // 0
    await add(runtime, "s", "next")
    assert await read(runtime, "s") == []
    assert await work(runtime) == 2
    assert await read(runtime, "s") == [(1, "late"), (2, "next")]
    assert await work(runtime) == 0


@pytest.mark.dialect
async def test_a_position_that_is_too_old_or_that_never_was_is_refused(runtime):
    await add(runtime, "s", *range(5))
    await work(runtime)
    async with runtime.database.transaction() as tx:
        item = STREAMS.item
        old = update(item).where(item.c.position <= 3).values(added_at=system_now() - timedelta(days=8))
        await tx.session.execute(old)
        assert await STREAMS.oldest(tx, "s") == 0
    assert await work(runtime) == 3
    for position in (0, 2):
        with pytest.raises(Gone, match="up to position 3"):
            await read(runtime, "s", position)
    assert await read(runtime, "s", 3) == [(4, 3), (5, 4)]
    with pytest.raises(Invalid, match="position 5"):
        await read(runtime, "s", 6)
    async with runtime.database.transaction() as tx:
        await tx.session.execute(update(item).values(added_at=system_now() - timedelta(days=8)))
    await work(runtime)
    async with runtime.database.reading() as tx:
        assert [await STREAMS.oldest(tx, name) for name in ("s", "unknown")] == [5, 0]
    assert await read(runtime, "s", 5) == []
    with pytest.raises(Gone):
        await read(runtime, "s", 4)
    await add(runtime, "s", "again")
    await work(runtime)
    assert await read(runtime, "s", 5) == [(6, "again")], "positions go on after all items were deleted"


@pytest.mark.dialect
async def test_a_lender_reads_its_own_streams_only(runtime):
    await add(runtime, "feed/lender-1", "mine", lender_id="lender-1")
    await add(runtime, "feed/lender-2", "theirs", "theirs", lender_id="lender-2")
    await add(runtime, "board", "of all")
    await work(runtime)
    assert await read(runtime, "feed/lender-2", context=OTHER) == [(1, "theirs"), (2, "theirs")]
    for stream in ("feed/lender-1", "board"):
        assert await read(runtime, stream, context=OTHER) == []
        with pytest.raises(Invalid, match="position 0"):
            await read(runtime, stream, 1, context=OTHER)


async def test_a_restart_between_two_reads_changes_nothing(runtime):
    await add(runtime, "s", *range(3))
    await work(runtime)
    first = await read(runtime, "s")
    after_restart = Runtime(SERVICE, runtime.settings)
    try:
        await add(runtime, "s", "between")
        await work(after_restart)
        assert await read(after_restart, "s", first[1][0]) == [(3, 2), (4, "between")]
    finally:
        await after_restart.close()


def asked(runtime):
    app = SimpleNamespace(state=SimpleNamespace(runtime=runtime))
    return SimpleNamespace(app=app, state=SimpleNamespace(), headers={})


@pytest.fixture
def request_(runtime, monkeypatch):
    monkeypatch.setattr("shared.web.streams.context_of", lambda _request: Context())
    return asked(runtime)


async def test_a_slow_reader_gets_all_of_it_and_holds_no_transaction(runtime, request_):
    await add(runtime, "s", *range(PAGE_ITEMS_MAX + 5))
    await work(runtime)
    actor = Actor("ann", frozenset())

    async def until_450(tx, position):
        batch = await STREAMS.after(tx, "s", position)
        return Batch(batch.items, ended=position + len(batch.items) == PAGE_ITEMS_MAX + 10)

    async with runtime.database.reading() as tx:
        reading = await begin(tx, until_450, 0)
    seen = []
    async with asyncio.timeout(20):
        async for event in follow(request_, actor, reading):
            seen.append((event.event, event.id, event.data["value"]))
            if len(seen) == 3:  # SQLite has one writer: a reader that held its transaction open would not see these
                await add(runtime, "s", *range(5))
                await work(runtime)
    assert [position for _, position, _ in seen] == [str(number) for number in range(1, PAGE_ITEMS_MAX + 11)]


async def test_a_reader_that_falls_behind_what_is_kept_is_sent_away(runtime, request_):
    await add(runtime, "s", 0)
    await work(runtime)

    async def read_(tx, position):
        return await STREAMS.after(tx, "s", position)

    followed = follow(request_, Actor("ann", frozenset()), Reading(read_, 0))
    assert (await anext(followed)).id == "1"
    await add(runtime, "s", 1, 2)
    await work(runtime)
    async with runtime.database.transaction() as tx:
        gone = STREAMS.item.c.position == 2
        await tx.session.execute(update(STREAMS.item).where(gone).values(added_at=system_now() - timedelta(days=8)))
    await work(runtime)
    assert [event async for event in followed] == [], "it never sees position 3 without 2"
    async with runtime.database.reading() as tx:
        with pytest.raises(Gone):
            await begin(tx, read_, 1)


async def test_a_page_ends_with_the_token(runtime, request_):
    ends = [system_now().timestamp() + 60]

    async def page(_tx, _position):
        return Batch([Item(1, "item", 1), Item(2, "item", 2)])

    actor = Actor("ann", frozenset(), token_ends_at=ends[0])
    followed = follow(request_, actor, Reading(page, 0))
    assert (await anext(followed)).id == "1"
    object.__setattr__(actor, "token_ends_at", system_now().timestamp() - LEEWAY_SECONDS - 1)
    assert [event async for event in followed] == []
