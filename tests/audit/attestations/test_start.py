"""What a start refuses: entries without a checkpoint that the bus does not bear out, copies that are missing or ahead,
logs that contradict each other. What a crash leaves is signed at once."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from services.audit.attestations import publisher, sequencing
from services.audit.attestations.checkpoints import verifier_of
from services.audit.attestations.sequencing import attested
from services.audit.attestations.starting import check_start
from services.audit.settings import AuditSettings
from services.audit.status import queries as status_queries
from services.audit.trail import sequencer
from services.audit.trail.state import TrailBroken, halted_because
from services.audit.verification.copies import copies_to_check
from services.audit.verification.verify import verify
from services.audit.worker import SERVICE, create_worker
from services.cli.main import app
from shared.bus.lease import Lease
from shared.clock import system_now
from shared.runtime import Runtime
from shared.web.operations import readiness
from tests.audit.publishing import LOG, free_lease, put, record, trail_on
from tests.tamper import careful
from tests.tamper.stores import Sqlite

PATIENCE_SECONDS = 20


@pytest.fixture
def earlier(monkeypatch):
    """What is made from here on is an hour old."""

    def then():
        return system_now() - timedelta(hours=1)

    monkeypatch.setattr(sequencer, "system_now", then)
    monkeypatch.setattr(publisher, "system_now", then)
    return monkeypatch


async def begun(folder, count=5, *, unsigned=0, beats=False):
    """A trail that was started, with so many signed entries, and some that a crash left unsigned."""
    async with trail_on(folder, heartbeat_seconds=1 if beats else 3600) as trail:
        await check_start(trail.runtime)
        await trail.grow(count)
        if beats:
            await trail.publish()
            made = sequencer.system_now
            with patch.object(sequencer, "system_now", lambda: made() + timedelta(seconds=2)):
                assert await trail.sequencer.beat() > 0
        await trail.publish()
        if unsigned:
            await trail.grow(unsigned)


async def start(folder):
    """As a start looks at the trail."""
    async with trail_on(folder) as trail:
        await check_start(trail.runtime)


def tamper(folder, *statements):
    """A person who has the file has all rights over it."""
    with closing(Sqlite(str(folder / "audit.sqlite3"))) as store:
        for statement in statements:
            store.run(statement)


def forget(folder, log):
    """Remove a log, its checkpoints and their copies."""
    shutil.rmtree(folder / "keys" / "checkpoints" / log)
    with closing(Sqlite(str(folder / "audit.sqlite3"))) as store:
        careful.forget(store, log)


async def problems(folder, **settings):
    """What `doorstep trail verify` finds: log, index and kind."""
    settings = AuditSettings(data_dir=folder, **settings)
    found = await verify(
        settings.database_url_of("audit"),
        verifiers=[verifier_of(settings)],
        origin=settings.trail_origin,
        processes=1,
        **copies_to_check(settings),
    )
    return [(log.log, problem.index, problem.kind) for log in found.logs for problem in log.problems]


async def test_the_first_start_begins_the_folder_of_copies_and_remembers_it(tmp_path):
    await begun(tmp_path)
    assert (tmp_path / "keys" / "checkpoints" / LOG / "checkpoint").exists()
    await start(tmp_path)
    assert await problems(tmp_path) == []


@pytest.mark.parametrize("forgotten", ["nothing", "the database", "the keys"])
async def test_a_folder_of_copies_that_is_gone_is_noticed(tmp_path, forgotten, earlier):
    await begun(tmp_path)
    shutil.rmtree(tmp_path / "keys" / "checkpoints")
    if forgotten == "the database":
        tamper(tmp_path, "DELETE FROM trail_state")
    if forgotten == "the keys":
        (tmp_path / "keys" / "checkpoints.kept").unlink()
    assert await problems(tmp_path) == [(LOG, 0, "unsigned")]
    with pytest.raises(TrailBroken, match=r"is not there\. Mount it"):
        await start(tmp_path)


async def test_a_trail_of_the_last_release_gets_its_folder_at_its_first_start(tmp_path, earlier):
    """It has no copies, and nothing remembers any."""
    async with trail_on(tmp_path) as trail:
        await trail.grow(5)
        await trail.publish()
    assert await problems(tmp_path) == []
    await start(tmp_path)
    assert (tmp_path / "keys" / "checkpoints" / LOG / "checkpoint").exists()
    assert await problems(tmp_path) == []


async def test_entries_that_a_crash_left_unsigned_are_signed_at_the_next_start(tmp_path, earlier):
    await begun(tmp_path, unsigned=3)
    assert await problems(tmp_path) == [(LOG, 5, "unsigned")]  # an hour later it is named, and the start mends it
    await start(tmp_path)
    async with trail_on(tmp_path) as trail:
        await trail.publish()
    assert await problems(tmp_path) == []


async def test_every_kind_of_entry_in_a_tail_follows_from_its_record(tmp_path):
    async with trail_on(tmp_path) as trail:
        await check_start(trail.runtime)
        first = record(0)
        odd = [
            first,
            record(1).__class__(first.partition, 1, first.key, first.headers, record(1).value),  # conflict
            record(2).__class__(first.partition, 2, first.key, {}, b"\xff no event"),  # rejected
            record(3).__class__(first.partition, 3, first.key, record(3).headers | {"ce_sequence": "7"}, b"{}"),
            record(4).__class__(
                first.partition, 4, first.key, record(4).headers | {"ce_sequence": "7"}, record(4).value
            ),
        ]
        await trail.runtime.transport.run(put, odd, write=True)
        assert await trail.sequencer.append({first.partition: odd}) == 6
    await start(tmp_path)


def replaced(old, new):
    leaf = f"CAST(replace(CAST(leaf AS TEXT), '{old}', '{new}') AS BLOB)"
    return f"UPDATE entry SET leaf = {leaf} WHERE log_id = 'lender-1' AND idx = 6"


FORGED = {
    "an entry of the tail is another": replaced("TWD", "USD"),
    "an entry of the tail is no leaf": "UPDATE entry SET leaf = x'00' WHERE log_id = 'lender-1' AND idx = 6",
    "the tail names another record": replaced('"offset":6', '"offset":5'),
    "an entry of the tail is gone": "DELETE FROM entry WHERE log_id = 'lender-1' AND idx = 6",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_tail_that_does_not_follow_from_the_bus_is_not_signed(tmp_path, name):
    await begun(tmp_path, unsigned=3)
    tamper(tmp_path, FORGED[name])
    with pytest.raises(TrailBroken, match="no checkpoint signs entry 6"):
        await start(tmp_path)


async def test_a_tail_whose_records_the_bus_has_lost_is_not_signed(tmp_path):
    await begun(tmp_path, unsigned=3)
    with closing(sqlite3.connect(tmp_path / "bus.sqlite3", isolation_level=None)) as bus:
        bus.execute("DELETE FROM log")
    with pytest.raises(TrailBroken, match="does not follow from a record on the bus"):
        await start(tmp_path)


async def test_checkpoints_that_were_removed_are_missed_although_the_bus_has_every_event(tmp_path, earlier):
    await begun(tmp_path)
    tamper(tmp_path, "DELETE FROM checkpoint")
    assert await problems(tmp_path) == [(LOG, 0, "unsigned")]
    with pytest.raises(TrailBroken, match="Were checkpoints removed"):
        await start(tmp_path)
    shutil.rmtree(tmp_path / "keys" / "checkpoints" / LOG)  # with the copies of this log: the hour is too long
    earlier.undo()
    async with trail_on(tmp_path) as trail:
        trail.offset = 5
        await trail.grow(1)
    assert (LOG, 0, "unsigned") in await problems(tmp_path)
    with pytest.raises(TrailBroken, match="older than a minute"):
        await start(tmp_path)


async def test_a_log_that_was_removed_contradicts_the_operators(tmp_path, earlier):
    await begun(tmp_path, beats=True)
    forget(tmp_path, LOG)
    found = await problems(tmp_path)
    assert (LOG, 0, "rolled-back") in found
    assert any(log == "operator" and kind == "source-missing" for log, _, kind in found)
    with pytest.raises(
        TrailBroken, match="entry 0 of the log operator says that the log lender-1 had 5 entries, 0 are"
    ):
        await start(tmp_path)


async def test_an_operators_log_that_was_removed_contradicts_the_beats(tmp_path, earlier):
    await begun(tmp_path, beats=True)
    forget(tmp_path, "operator")
    assert ("operator", 0, "rolled-back") in await problems(tmp_path)
    with pytest.raises(TrailBroken, match="of the log lender-1 says that the log operator had 1 entries, 0 are"):
        await start(tmp_path)


async def test_an_event_that_came_again_leaves_no_hole(tmp_path, earlier):
    async with trail_on(tmp_path) as trail:
        first = record(0)
        again = first.__class__(first.partition, 1, first.key, first.headers, first.value)
        assert await trail.sequencer.append({first.partition: [first, again]}) == 1
        await trail.publish()
    assert await problems(tmp_path) == []
    tamper(tmp_path, "DELETE FROM source_skip")
    assert await problems(tmp_path) == [("operator", 0, "source-missing")]
    values = f"0, '{first.partition.topic}', 0, 1, 'lender-1', 'no such event'"
    tamper(tmp_path, f"INSERT INTO source_skip VALUES ({values})")
    assert await problems(tmp_path) == [("operator", 0, "source-missing")]


async def test_an_older_trail_keeps_the_holes_that_it_had(tmp_path, earlier):
    """The migration takes what is missing for events that came again: they were not noted before."""
    from alembic import command

    from shared import migrations

    url = AuditSettings(data_dir=tmp_path).database_url_of("audit")
    async with trail_on(tmp_path) as trail:
        first = record(0)
        again = first.__class__(first.partition, 1, first.key, first.headers, first.value)
        await trail.sequencer.append({first.partition: [first, again, record(2)]})
        await trail.publish()
    await asyncio.to_thread(command.downgrade, migrations.config_of(SERVICE.migrations, url), "0011")
    tamper(
        tmp_path,
        "DROP TABLE source_skip",
        "DROP TABLE trail_state",
        "ALTER TABLE export DROP COLUMN made_at",
        "UPDATE alembic_version SET version_num = '0010'",
    )
    assert await problems(tmp_path) == []  # before it is migrated, too
    await asyncio.to_thread(command.upgrade, migrations.config_of(SERVICE.migrations, url), "head")
    assert await problems(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / "audit.sqlite3")) as db:
        assert db.execute("SELECT off, event_id FROM source_skip").fetchall() == [(1, "")]


# The command that goes back


def command(*arguments):
    return CliRunner().invoke(app, list(arguments))


def restore(folder, *arguments):
    return command("trail", "restore", "--data", str(folder), *arguments)


async def test_an_older_backup_goes_on_only_on_the_record(tmp_path, earlier):
    data = tmp_path / "data"
    await begun(data)
    shutil.copy(data / "audit.sqlite3", tmp_path / "backup")
    async with trail_on(data) as trail:
        trail.offset = 5
        await trail.grow(4)
        await trail.publish()
    for each in data.glob("audit.sqlite3*"):
        each.unlink()
    shutil.copy(tmp_path / "backup", data / "audit.sqlite3")
    earlier.undo()
    assert (LOG, 5, "rolled-back") in await problems(data)
    with pytest.raises(TrailBroken, match="9 entries were signed, 5 are here"):
        await start(data)
    refused = await asyncio.to_thread(restore, data)
    assert refused.exit_code == 1
    assert "9 were signed" in refused.output
    done = await asyncio.to_thread(restore, data, "--yes", "--json")
    told = json.loads(done.stdout)
    [gap] = told["gaps"]
    assert (told["entry"], gap["log"], gap["size"], gap["lost_size"]) == (0, LOG, 5, 9)
    await start(data)
    async with trail_on(data) as trail:
        trail.offset = 5
        await trail.grow(4)  # others than before
        await trail.publish()
    assert await problems(data) == []
    again = await asyncio.to_thread(restore, data)
    assert "Nothing to restore" in again.output
    put_aside = list((data / "keys" / "checkpoints").glob(".given-up-*/**/*checkpoint"))
    assert len(put_aside) == 1
    said = await asyncio.to_thread(command, "trail", "verify", "--data", str(data), "--against", str(put_aside[0]))
    assert said.exit_code == 0, said.output
    assert "given up at 5 entries" in " ".join(said.output.split())


async def test_a_tail_that_nothing_bears_out_is_signed_only_on_the_record(tmp_path, earlier):
    await begun(tmp_path, unsigned=3)
    with closing(sqlite3.connect(tmp_path / "bus.sqlite3", isolation_level=None)) as bus:
        bus.execute("DELETE FROM log")
    earlier.undo()
    done = await asyncio.to_thread(restore, tmp_path, "--yes", "--json")
    [gap] = json.loads(done.stdout)["gaps"]
    assert (gap["log"], gap["size"], gap["lost_size"], gap["unsigned_from"]) == (LOG, 8, None, 5)
    await start(tmp_path)
    assert await problems(tmp_path) == []


async def test_a_restoration_gives_up_its_own_lease_only(tmp_path):
    async with trail_on(tmp_path) as trail:
        other = Lease(trail.runtime.database, SERVICE.tables.bus.lease, "sequencer")
        await other.release()
        assert not await other.take()
        await trail.sequencer._lease.release()
        assert await other.take()


async def test_a_forged_database_is_not_restored(tmp_path, earlier):
    await begun(tmp_path)
    tamper(tmp_path, "UPDATE entry SET outcome = 'other' WHERE idx = 2")
    done = await asyncio.to_thread(restore, tmp_path, "--yes")
    assert done.exit_code == 1
    assert "entry 2: projection-differs" in done.output


# A stop, and a halt


@asynccontextmanager
async def working(folder):
    """The worker of audit on this folder."""
    async with trail_on(folder) as trail:
        pass
    runtime = Runtime(SERVICE, trail.runtime.settings)
    await runtime.start()
    stop = asyncio.Event()
    work = asyncio.create_task(create_worker(runtime).run(stop))
    try:
        yield runtime, stop, work
    finally:
        stop.set()
        await asyncio.wait([work])
        await free_lease(runtime)
        await runtime.close()


async def eventually(holds):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_a_stop_signs_the_last_entries(tmp_path, monkeypatch):
    """The publisher looks only at its start and at the stop."""

    async def never(_self):
        await asyncio.Event().wait()

    monkeypatch.setattr(publisher.Publisher, "run", never)
    async with working(tmp_path) as (runtime, _, _):
        await runtime.transport.run(put, [record(n) for n in range(7)], write=True)

        async def taken():
            async with runtime.database.reading() as tx:
                return sum((await sequencer.positions(tx)).values()) == 7

        await eventually(taken)
    with closing(sqlite3.connect(tmp_path / "audit.sqlite3")) as db:
        assert db.execute("SELECT log_id, max(size) FROM checkpoint").fetchall() == [(LOG, 7)]


async def test_a_halted_trail_says_so(tmp_path):
    await begun(tmp_path)
    with closing(sqlite3.connect(tmp_path / "bus.sqlite3", isolation_level=None)) as bus:
        bus.execute("DELETE FROM log WHERE off > 1")
    async with working(tmp_path) as (runtime, _, _):

        async def halted():
            return (await readiness(runtime)).get("consumer") == "halted until a person has looked"

        await eventually(halted)
        async with runtime.database.reading() as tx:
            found = await status_queries.trail_status(runtime, tx)
            bus_status = await runtime.bus_status(tx)
        assert (found.well, found.waiting) == (False, 0)
        assert "shorter than what was taken" in (found.halted or "")
        assert found.problems == ["3 events were taken that the bus does not have: was a topic cut, or made again?"]
        assert (bus_status.well, sum(bus_status.consumer.beyond.values())) == (False, 3)
        assert bus_status.consumer.halted == found.halted
    said = await asyncio.to_thread(command, "trail", "status", "--data", str(tmp_path))
    assert said.exit_code == 1
    assert "HALTED" in said.output
    assert "All is well" not in said.output
    said = await asyncio.to_thread(command, "bus", "status", "audit", "--data", str(tmp_path))
    assert said.exit_code == 1
    assert "HALTED" in said.output


async def why_halted(runtime):
    async with runtime.database.reading() as tx:
        return await halted_because(tx)


async def test_a_standby_that_refuses_to_start_does_not_halt_the_trail(tmp_path, monkeypatch):
    async def refuses(_runtime):
        raise TrailBroken("my folder of copies is another one")

    await begun(tmp_path)
    monkeypatch.setattr(sequencing, "check_start", refuses)
    async with trail_on(tmp_path) as trail:
        with pytest.raises(TrailBroken):
            await attested(trail.runtime).sequencer.run()
        assert await why_halted(trail.runtime) is None
        await free_lease(trail.runtime)
        with pytest.raises(TrailBroken):
            await attested(trail.runtime).sequencer.run()  # now it is the only one
        assert "folder of copies" in await why_halted(trail.runtime)
        assert await attested(trail.runtime).sequencer._lease.holds()  # the next one need not wait


async def test_a_process_that_refuses_to_start_signs_nothing(tmp_path, monkeypatch):
    """It holds the lease while it says why; its publisher, which runs beside it, must not take that for leave."""

    async def refuses(_runtime):
        raise TrailBroken("the tail is forged")

    await begun(tmp_path, unsigned=2)
    monkeypatch.setattr(sequencing, "check_start", refuses)
    async with trail_on(tmp_path) as trail:
        await free_lease(trail.runtime)
        before = await trail.checkpoints()
        both = attested(trail.runtime)
        lease = both.sequencer._lease
        release, held = lease.release, []

        async def publishes_first():
            held.append(lease.epoch > 0)
            await both.publisher.last_word()
            await release()

        monkeypatch.setattr(lease, "release", publishes_first)
        with pytest.raises(TrailBroken):
            await both.sequencer.run()
        assert held == [True]
        assert await trail.checkpoints() == before


async def test_a_halt_is_over_when_the_bus_is_what_it_was(tmp_path):
    await begun(tmp_path)
    async with trail_on(tmp_path) as trail:
        await trail.sequencer._note_halt(TrailBroken("for a test"))
        assert await why_halted(trail.runtime) == "for a test"
    async with working(tmp_path) as (runtime, _, _):

        async def over():
            async with runtime.database.reading() as tx:
                return (await status_queries.trail_status(runtime, tx)).halted is None

        await eventually(over)


async def test_a_bus_that_was_lost_begins_again_on_the_record(tmp_path, earlier):
    """The topics are new: their first records are other ones, and one of them is here already."""
    await begun(tmp_path, beats=True)
    with closing(sqlite3.connect(tmp_path / "bus.sqlite3", isolation_level=None)) as bus:
        [(again,)] = bus.execute("SELECT headers FROM log WHERE off = 4").fetchall()
        [(value, key)] = bus.execute("SELECT value, key FROM log WHERE off = 4").fetchall()
        bus.execute("DELETE FROM log")
    earlier.undo()
    done = await asyncio.to_thread(restore, tmp_path, "--bus-lost", "--yes", "--json")
    assert json.loads(done.stdout)["bus_lost"], done.output
    old = record(0).__class__(record(0).partition, 0, key, json.loads(again), value)
    async with trail_on(tmp_path) as trail:
        await check_start(trail.runtime)
        await trail.runtime.transport.run(put, [old, record(1), record(2)], write=True)
        assert await trail.sequencer.append({old.partition: [old, record(1), record(2)]}) == 2
        await trail.publish()
    assert await problems(tmp_path) == []
    tamper(tmp_path, "DELETE FROM source_skip")
    assert [kind for _, _, kind in await problems(tmp_path)] == ["source-missing"]
