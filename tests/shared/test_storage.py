"""A full disk: which errors say so, what a request is answered, and that nothing is half done. On a small disk."""

import asyncio
import dataclasses
import errno
import shutil
import sqlite3
from pathlib import Path
from secrets import token_hex

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text

from deploy.dev.processes import ServerMissing, ask, temporary_folder
from shared import database
from shared.auth import Role
from shared.bus.embedded import EmbeddedTransport
from shared.bus.transport import Message, TransportDown
from shared.errors import OutOfStorage, Unavailable
from shared.events.cases import TOPIC, CaseReleased
from shared.ids import new_id
from shared.runtime import Timer
from shared.settings import Settings
from shared.storage import FULL_BELOW_BYTES, Storage, says_full
from shared.web.problems import add_problem_handlers
from shared.worker import Worker
from tests.servers import missing
from tests.shared.conftest import NOTES, TABLES, running
from tests.small_disk import small_disk

MEGABYTE = 1 << 20
LARGE = 512 * 1024


def sqlite_error(code):
    error = sqlite3.OperationalError("any words")
    error.sqlite_errorcode = code
    return error


def postgresql_error(state):
    error = Exception("any words")
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_SHMSIZE), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_READ), False),
        (sqlite_error(sqlite3.SQLITE_BUSY), False),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), False),
        (sqlite3.OperationalError("no code"), False),
        (postgresql_error("53100"), True),
        (postgresql_error("53200"), False),
        (postgresql_error("53300"), False),
        (OSError(errno.ENOSPC, "no room"), True),
        (OSError(errno.EDQUOT, "quota"), True),
        (OSError(errno.EIO, "broken"), False),
        (None, False),
    ],
)
def test_which_errors_say_that_a_disk_is_full(error, full):
    assert says_full(error) is full


@pytest.mark.parametrize(
    ("free", "refused", "full"),
    [
        (FULL_BELOW_BYTES - 1, False, True),
        (FULL_BELOW_BYTES, False, False),
        (FULL_BELOW_BYTES, True, True),
        (64 * MEGABYTE, True, False),
        (None, False, False),
        (None, True, True),
    ],
)
def test_when_a_disk_counts_as_full(monkeypatch, free, refused, full):
    monkeypatch.setattr(Storage, "free_bytes", property(lambda _: free))
    storage = Storage("cases", Path(), 64 * MEGABYTE)
    if refused:
        storage.refused()
    assert storage.is_full is full
    assert (storage.state == "ok") is not full
    monkeypatch.setattr("shared.storage.REFUSAL_COUNTS_SECONDS", 0)
    assert storage.is_full is (free == FULL_BELOW_BYTES - 1)


@pytest.mark.parametrize(("free", "reserve", "refused"), [(9, 10, True), (10, 10, False), (0, 0, False)])
def test_the_reserve_is_kept_free(monkeypatch, free, reserve, refused):
    monkeypatch.setattr(Storage, "free_bytes", property(lambda _: free))
    storage = Storage("cases", Path(), reserve)
    if not refused:
        storage.check_reserve()
        return
    with pytest.raises(OutOfStorage) as raised:
        storage.check_reserve()
    assert raised.value.code == "storage-low"


def test_a_folder_that_is_gone_is_not_full(tmp_path):
    storage = Storage("cases", tmp_path / "gone", 1)
    assert storage.free_bytes is None
    storage.check_reserve()
    assert storage.state == "ok"


def test_every_loop_that_waits_for_a_database_waits_for_room_too():
    assert issubclass(OutOfStorage, Unavailable)
    assert Unavailable in database.AWAY


async def write_until_refused(supervisor):
    """Write notes until one is refused. Returns the texts that were acknowledged and the refusal."""
    kept = []
    for number in range(100):
        note = f"{number} {token_hex(LARGE // 2)}"  # random: PostgreSQL compresses what repeats
        answer = await supervisor.post("/cases/v1/notes", {"text": note})
        if answer.status_code != 201:
            return kept, answer
        kept.append(note)
    raise AssertionError("the disk was never full")


async def holds_all_and_no_more(system, supervisor, kept):
    """Reading goes on, and what is there is what was acknowledged: each note with its event, no event without."""
    found = await supervisor.get("/cases/v1/notes")
    assert found.status_code == 200
    assert sorted(found.json()) == sorted(kept)
    assert len(await system.outbox()) == len(kept)


async def full_and_empty_again(system, disk):
    """What holds on either database: refused in words, whole, and on again by itself when there is room."""
    supervisor = system.caller(Role.SUPERVISOR)
    disk.fill(leave_bytes=2 * MEGABYTE)
    kept, refusal = await write_until_refused(supervisor)
    problem = refusal.json()
    assert (refusal.status_code, problem["title"]) == (507, "storage-full")
    assert "has made room" in problem["detail"]
    assert refusal.headers["retry-after"] == "60"
    await holds_all_and_no_more(system, supervisor, kept)
    anybody = system.bearing(None)
    assert system.runtime.database.storage.state.startswith("full: writes are refused")
    assert (await anybody.get("/health/live")).status_code == 200
    assert 'doorstep_storage_full{service="cases"} 1.0' in (await anybody.get("/metrics")).text
    disk.empty()
    answer = await supervisor.post("/cases/v1/notes", {"text": "there is room"})
    assert answer.status_code == 201
    await holds_all_and_no_more(system, supervisor, [*kept, "there is room"])


async def test_a_full_disk_of_sqlite_refuses_writes_and_nothing_else(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        async with running(Settings(data_dir=disk.path, storage_free_bytes_min=2 * MEGABYTE)) as system:
            await full_and_empty_again(system, disk)
            assert system.runtime.database.storage.state == "ok"


async def insert_note(runtime, content, reached=()):
    async with runtime.database.transaction() as tx:
        await tx.session.execute(NOTES.insert().values(id=new_id(), text=content, version=1))
        if isinstance(reached, list):
            reached.append("commit")


async def test_a_commit_that_finds_no_room_is_not_reported_as_success(tmp_path):
    """All is written to memory first; only the commit meets the disk."""
    with small_disk(tmp_path / "disk", 8) as disk:
        async with running(Settings(data_dir=disk.path)) as system:
            disk.fill()
            reached = []
            with pytest.raises(OutOfStorage):
                await insert_note(system.runtime, "x" * LARGE, reached)
            assert reached == ["commit"]
            async with system.runtime.database.reading() as tx:
                assert await tx.session.scalar(select(func.count()).select_from(NOTES)) == 0


async def test_what_sqlite_rolled_back_by_itself_is_not_committed(system):
    """Code that catches the error and goes on must not get a commit of nothing."""

    async def roll_back_and_go_on():
        async with system.runtime.database.transaction() as tx:
            await tx.session.execute(NOTES.insert().values(id=new_id(), text="lost", version=1))
            connection = await tx.session.connection()
            raw = await connection.get_raw_connection()
            await raw.driver_connection.execute("ROLLBACK")

    with pytest.raises(OutOfStorage):
        await roll_back_and_go_on()
    async with system.runtime.database.reading() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(NOTES)) == 0


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)])
async def test_a_temporary_file_without_room_is_a_full_disk_too(number, status):
    app = FastAPI(openapi_url=None)
    add_problem_handlers(app)

    @app.post("/file")
    async def write_file() -> None:
        raise OSError(number, "a name that is not shown")

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://doorstep") as client:
        answer = await client.post("/file")
    assert answer.status_code == status
    assert "not shown" not in answer.text


async def test_a_full_disk_of_the_bus_loses_and_doubles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.bus.embedded.MEMBER_SILENT_SECONDS_MAX", 0.1)  # the first one could not say goodbye
    monkeypatch.setattr("shared.bus.embedded._HEARTBEAT_SECONDS", 0.05)

    def message(number):
        return Message(TOPIC, "key", {"number": str(number)}, b"x" * LARGE)

    with small_disk(tmp_path / "disk", 4) as disk:
        transport = EmbeddedTransport(disk.path / "bus.sqlite3")
        await transport.start()
        subscription = await transport.subscribe("group", [TOPIC])
        await transport.append([message(0)])
        disk.fill()
        for _ in range(3):
            with pytest.raises(TransportDown, match="full"):
                await transport.append([message(1), message(2)])
        assert sum((await transport.ends([TOPIC])).values()) == 1
        await subscription.close()
        disk.empty()
        await transport.append([message(1), message(2)])
        again = await transport.subscribe("group", [TOPIC])
        found = []
        while len(found) < 3:
            for records in (await again.poll(records_max=9, timeout_seconds=20)).values():
                found += [record.headers["number"] for record in records]
        assert found == ["0", "1", "2"]
        await transport.close()


async def test_the_loops_of_a_worker_outlive_a_full_disk(tmp_path, monkeypatch, caplog):
    """None ends, none runs hot, none floods the log; the event that waited is published once there is room."""
    tries = 0

    async def write(runtime):
        nonlocal tries
        tries += 1
        await insert_note(runtime, "y" * LARGE)
        return 0

    monkeypatch.setattr("shared.worker.LOOK_AGAIN_SECONDS", 0.05)
    with small_disk(tmp_path / "disk", 8) as disk:
        async with running(Settings(data_dir=disk.path)) as system:
            runtime = system.runtime
            runtime.service = dataclasses.replace(runtime.service, timers=(Timer("write", write),))
            note_id = new_id()
            async with runtime.database.transaction() as tx:
                tx.publish_as(
                    CaseReleased(case_id=note_id, hold_id=note_id, reason="X"), subject=note_id, version=1, key=note_id
                )
            disk.fill()
            stop = asyncio.Event()
            working = asyncio.create_task(Worker(runtime).run(stop))
            async with asyncio.timeout(20):
                while tries < 4:
                    await asyncio.sleep(0.01)
                assert not working.done()
                disk.empty()
                outbox = TABLES.bus.outbox
                while True:
                    async with runtime.database.reading() as tx:
                        waiting = await tx.session.scalar(select(func.count()).where(outbox.c.published_at.is_(None)))
                    if not waiting:
                        break
                    await asyncio.sleep(0.02)
            stop.set()
            await working
            assert sum((await runtime.transport.ends([TOPIC])).values()) == 1
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told
    assert len(told) == len(set(told))


@pytest.fixture
def small_postgresql(postgres_server):
    """A database in a tablespace on a small disk, and that disk."""
    folder = temporary_folder("tablespace")
    name = f"small_{new_id().hex}"
    with small_disk(folder / "disk", 24) as disk:
        space = disk.path / "space"
        space.mkdir()
        shutil.chown(space, "postgres", "postgres")
        try:
            ask(postgres_server._execute(f"CREATE TABLESPACE {name} LOCATION '{space}'"))
        except asyncpg.PostgresError as error:
            missing(ServerMissing(f"a tablespace on a small disk of this host is needed: {error}"))
        try:
            ask(postgres_server._execute(f"CREATE DATABASE {name} TABLESPACE {name}"))
            yield postgres_server.url_of(name), disk
        finally:
            postgres_server.drop_database(name)
            ask(postgres_server._execute(f"DROP TABLESPACE {name}"))
    shutil.rmtree(folder)


@pytest.mark.servers
async def test_a_full_disk_of_postgresql_refuses_writes_and_nothing_else(small_postgresql, tmp_path):
    url, disk = small_postgresql
    async with running(Settings(data_dir=tmp_path, database_url=url)) as system:
        await full_and_empty_again(system, disk)


LATE = """
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO filling SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 400000);
  RETURN NULL;
END $$
"""


@pytest.mark.servers
async def test_a_commit_of_postgresql_that_finds_no_room_is_refused_whole(small_postgresql, tmp_path):
    """A deferred trigger writes during COMMIT."""
    url, disk = small_postgresql
    async with running(Settings(data_dir=tmp_path, database_url=url)) as system:
        async with system.runtime.database.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE filling (t text)"))
            await connection.execute(text(LATE))
            await connection.execute(
                text(
                    "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED"
                    " FOR EACH ROW EXECUTE FUNCTION late()"
                )
            )
        supervisor = system.caller(Role.SUPERVISOR)
        disk.fill(leave_bytes=2 * MEGABYTE)
        assert (await supervisor.post("/cases/v1/notes", {"text": "early"})).status_code == 507
        await holds_all_and_no_more(system, supervisor, [])
        async with system.runtime.database.engine.begin() as connection:
            await connection.execute(text("DROP TRIGGER late ON note"))
        assert (await supervisor.post("/cases/v1/notes", {"text": "now"})).status_code == 201
        await holds_all_and_no_more(system, supervisor, ["now"])
