"""The roles of the trail's database, on a real PostgreSQL: each tries what it may not, and does what it must."""

import asyncio

import asyncpg
import pytest

from services.audit.roles import API, MOVED, OWNER, READER, SAID, SEQUENCER, grant_roles
from services.audit.settings import AuditSettings
from services.audit.trail.state import TrailBroken, halted_because
from services.audit.worker import SERVICE
from shared import migrations
from tests.audit.conftest import Tape, opened

ENTRY = "INSERT INTO entry VALUES ('a', {}, '', '', 'e{}', '', 't', NULL, 'x', 'now', 'now', 'c', 'done', NULL, NULL)"
FORBIDDEN = {
    "change an entry": "UPDATE entry SET actor = 'somebody:else'",
    "remove an entry": "DELETE FROM entry",
    "empty a table": "TRUNCATE entry CASCADE",
    "change a tile": "UPDATE tile SET hashes = ''",
    "forget a rule": "DELETE FROM entry_rule",
    "move a subject's entry": "UPDATE entry_subject SET n = 2",
    "change a checkpoint": "UPDATE checkpoint SET note = 'x'",
    "forget a log": "DELETE FROM head",
    "forget a position": "DELETE FROM kafka_pos",
    "take the guard off": "ALTER TABLE entry DISABLE TRIGGER ALL",
    "drop the guard": "DROP TRIGGER entry_append_only ON entry",
    "act as a replica, whom triggers pass": "SET session_replication_role = replica",
    "become the owner": f"SET ROLE {OWNER}",
    "make a table": "CREATE TABLE mine (id int)",
}
READ_ONLY = {
    "add an entry": ENTRY.format(9, 9),
    "publish a checkpoint": "INSERT INTO checkpoint VALUES ('a', 1, 'n', 'now')",
    **{f"move {table}": f"DELETE FROM {table}" for table in MOVED},
    **{f"forget {table}": f"DELETE FROM {table}" for table in SAID},
    "say that it halted": "INSERT INTO trail_state VALUES ('halted', '{}')",
}


@pytest.fixture
async def server(fresh_database):
    """The URL of a migrated database with its roles, and people who log in under them."""
    url = fresh_database()
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    assert await grant_roles(url)
    assert await grant_roles(url)  # again, as each migration does
    admin = await asyncpg.connect(url.replace("+asyncpg", ""))
    await admin.execute(ENTRY.format(0, 0))
    for role in (SEQUENCER, READER, API):
        if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", f"test_{role}"):
            await admin.execute(f"CREATE ROLE test_{role} LOGIN IN ROLE {role}")
    yield url
    await admin.close()


def as_role(url, role):
    return url.replace("//postgres@", f"//test_{role}@")


async def connect(url, role):
    return await asyncpg.connect(as_role(url, role).replace("+asyncpg", ""))


async def refused(connection, statement):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connection.transaction():
            await connection.execute(statement)


@pytest.mark.parametrize("role", [SEQUENCER, READER, API])
async def test_nobody_may_change_what_is_there(server, role):
    connection = await connect(server, role)
    for statement in FORBIDDEN.values():
        await refused(connection, statement)
    assert await connection.fetchval("SELECT count(*) FROM entry") == 1
    await connection.close()


@pytest.mark.parametrize("role", [READER, API])
async def test_who_reads_may_not_add(server, role):
    connection = await connect(server, role)
    for statement in READ_ONLY.values():
        await refused(connection, statement)
    await connection.close()


async def test_the_reader_writes_nowhere_and_the_api_to_its_outbox(server):
    lease = "INSERT INTO relay_lease VALUES ('x', 'me', 1, 0)"
    reader, api = await connect(server, READER), await connect(server, API)
    await refused(reader, lease)
    assert await api.execute(lease) == "INSERT 0 1"
    await reader.close()
    await api.close()


async def test_not_even_the_owner_changes_an_entry(server):
    admin = await asyncpg.connect(server.replace("+asyncpg", ""))
    assert not await admin.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", OWNER)
    owners = await admin.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('entry', 'tile', 'head')")
    assert [row["tableowner"] for row in owners] == [OWNER]
    for setting in (f"SET ROLE {OWNER}", "RESET ROLE; SET session_replication_role = replica"):
        await admin.execute(setting)
        for statement in ("UPDATE entry SET actor = 'x'", "DELETE FROM entry", "TRUNCATE entry"):
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await admin.execute(statement)
    await admin.close()


async def test_the_sequencer_does_its_work_under_its_role(server, tmp_path):
    settings = AuditSettings(data_dir=tmp_path, database_url=as_role(server, SEQUENCER))
    async with opened(settings) as trail:
        tape = Tape()
        assert await trail.take(*(tape.payment() for _ in range(300))) == 300
        assert await trail.publisher.publish_once() == 1
        assert await trail.take(tape.payment()) == 1
        assert await trail.publisher.publish_once() == 1
        await trail.sequencer._note_halt(TrailBroken("for a test"))
        async with trail.runtime.database.reading() as tx:
            assert await halted_because(tx) == "for a test"
        await trail.sequencer._go_on()
        async with trail.runtime.database.reading() as tx:
            assert await halted_because(tx) is None


async def test_who_may_make_no_roles_is_told_so(fresh_database, postgres_server):
    url = fresh_database()
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    admin = await asyncpg.connect(url.replace("+asyncpg", ""))
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = 'test_nobody'"):
        await admin.execute("CREATE ROLE test_nobody LOGIN")
    known = await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", OWNER)
    await admin.close()
    nobody = url.replace("//postgres@", "//test_nobody@")
    if known:  # another test of this server made them: then only the rights are missing
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await grant_roles(nobody)
    else:
        assert not await grant_roles(nobody)
    assert not await grant_roles("sqlite+aiosqlite:///nowhere")
