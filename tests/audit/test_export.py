"""An export proves what it holds: the same bytes for the same question, all entries of a subject, nothing personal."""

import asyncio
import hashlib
import io
import json
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from services.audit.attestations.checkpoints import signer_of
from services.audit.attestations.queries import newest_checkpoint
from services.audit.attestations.tables import CHECKPOINT, CHECKPOINT_STAMP
from services.audit.attestations.timestamps import TimeAuthority as StampClient
from services.audit.base import TABLES
from services.audit.export import jobs, queries, usecases
from services.audit.export.domain import Range, Subject, TrailDoesNotHold
from services.audit.export.outside.verify import Wrong, check
from services.audit.export.tables import EXPORT
from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE
from shared.clock import system_now
from shared.errors import Conflict, Invalid, NotFound
from shared.ids import new_id
from shared.job_runner import run_next
from tests.audit.exports import (
    CASE,
    DEBTOR,
    FOREIGN,
    LENDER,
    OTHER,
    SECOND,
    first_events,
    growing_trail,
    members,
    opened,
    paid,
    read,
    signed_anew,
)
from tests.audit.small_witness import SmallWitness
from tests.audit.time_authority import TimeAuthority
from tests.databases import database


@pytest.fixture
def settings(request, database_kind, tmp_path):
    return AuditSettings(data_dir=tmp_path, **database(request, SERVICE))


@pytest.mark.dialect
async def test_an_export_of_a_case_holds_all_of_it(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=300))
        export = await trail.export(Subject("case", CASE))
        vkey = trail.vkey
    files = members(export)
    found = check(io.BytesIO(export), vkey)
    assert f"  case:{CASE}: 301 of 301 entries, none missing in between." in found.statements
    assert f"  case:{CASE}: 2 of 2 entries, none missing in between." in found.statements
    leaves = [json.loads(data) for path, data in files.items() if "/entries/" in path]
    assert {leaf["log"] for leaf in leaves} == {LENDER, "access"}
    assert all(any(each["ref"] == f"case:{CASE}" for each in leaf["subjects"]) for leaf in leaves)
    assert str(SECOND) not in b"".join(files.values()).decode()


@pytest.mark.dialect
async def test_the_same_question_at_the_same_sizes_gives_the_same_bytes(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=20))
        database = trail.runtime.database
        made = await ready(database, (await trail.order(Subject("case", CASE))).id)
        first = b"".join([part async for part in queries.file_parts(database, made.id)])
        await trail.take(paid(CASE, 22), read(CASE))
        async with database.reading() as tx:
            # The trail itself keeps one checkpoint a minute; those of exports stay.
            assert await tx.session.scalar(select(func.count()).select_from(CHECKPOINT)) <= 6
        assert await trail.export(Subject("case", CASE), made.sizes) == first
        later = await trail.export(Subject("case", CASE))
    assert later != first
    check(io.BytesIO(later))
    amounts = b'"amount":{"amount":"1022"'
    assert [any(amounts in data for data in members(export).values()) for export in (first, later)] == [False, True]


async def test_an_export_of_a_debtor_holds_his_cases(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=3))
        export = await trail.export(Subject("debtor", DEBTOR))
    manifest = json.loads(members(export)["manifest.json"])
    assert manifest["subjects"] == [f"case:{CASE}", f"case:{SECOND}", f"debtor:{DEBTOR}"]
    assert {log["log"]: log["entries"] for log in manifest["logs"]} == {LENDER: 8, "access": 2}
    assert OTHER not in members(export)["manifest.json"].decode()
    check(io.BytesIO(export))


async def test_what_comes_later_changes_no_export_as_of_before(settings):
    """Neither a further case of the debtor, nor a log that spoke of none of them then."""
    async with growing_trail(settings) as trail:
        await trail.take(opened(CASE, DEBTOR), opened(FOREIGN, new_id(), OTHER))
        made = await ready(trail.runtime.database, (await trail.order(Subject("debtor", DEBTOR))).id)
        first = await trail.export(Subject("debtor", DEBTOR), made.sizes)
        await trail.take(opened(SECOND, DEBTOR), opened(new_id(), DEBTOR, OTHER), read(CASE, SECOND))
        assert await trail.export(Subject("debtor", DEBTOR), made.sizes) == first
        now = json.loads(members(await trail.export(Subject("debtor", DEBTOR)))["manifest.json"])
    assert f"case:{SECOND}" in now["subjects"]
    assert {log["log"] for log in now["logs"]} >= {LENDER, OTHER, "access"}


@pytest.mark.dialect
async def test_an_export_of_a_piece_of_a_log(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=140))
        export = await trail.export(Range(LENDER, 250, 270))
        with pytest.raises(Invalid, match="at most 282"):
            await trail.export(Range(LENDER, 0, 283))
        with pytest.raises(NotFound):
            await trail.export(Range("nobody", 0, 1))
        with pytest.raises(NotFound):
            await trail.export(Subject("visit", FOREIGN))
        with pytest.raises(Invalid, match="no signed checkpoint"):
            await trail.export(Range(LENDER, 0, 1), {LENDER: 10**6})
        with pytest.raises(Invalid, match="no signed checkpoint"):
            await trail.export(Subject("case", CASE), {"nobody": 1})
    assert "  Entries 250 to 269: all of them, none left out." in check(io.BytesIO(export)).statements


async def test_every_program_reads_the_file_and_nothing_in_it_is_compressed(tmp_path):
    async with growing_trail(AuditSettings(data_dir=tmp_path)) as trail:
        await trail.take(*first_events(payments=2))
        export = await trail.export(Subject("case", CASE))
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    files = members(export)
    assert {"manifest.json", "manifest.note", "vkey", "VERIFY.md", "verify.py", "go/verify.go"} <= set(files)
    for report in ("report.zh.html", "report.en.html"):
        text = files[report].decode()
        assert f"case:{CASE}" in text
        assert "<script" not in text
        assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")


@pytest.mark.dialect
async def test_the_worker_makes_what_was_ordered_once_and_lets_go_of_it_later(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=300))
        database = trail.runtime.database
        ordered = await trail.order(Subject("case", CASE))
        # Three workers at once, the one of the trail among them: one of them makes it.
        await asyncio.gather(run_next(trail.runtime, jobs.EXPORTS), run_next(trail.runtime, jobs.EXPORTS))
        made = await ready(database, ordered.id)
        assert (made.status, made.entries) == ("READY", 303)
        parts = [part async for part in queries.file_parts(database, made.id)]
        assert len(parts) > 1
        assert all(len(part) <= usecases.PART_BYTES for part in parts)
        assert hashlib.sha256(b"".join(parts)).hexdigest() == made.file_sha256
        assert b"".join(parts) == await trail.export(Subject("case", CASE), made.sizes)
        assert await published(database, "export-created") == 1
        async with database.transaction() as tx:
            await tx.session.execute(update(EXPORT).values(kept_until=system_now() - timedelta(seconds=1)))
            with pytest.raises(NotFound, match="as_of"):
                await usecases.fetch_file(tx, made.id)
        await jobs.drop_expired(trail.runtime)
        assert [part async for part in queries.file_parts(database, made.id)] == []
        async with database.reading() as tx:
            assert (await queries.get_export(tx, made.id)).manifest_digest == made.manifest_digest


async def test_an_order_that_cannot_be_filled_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("services.audit.export.package.PACKAGE_BYTES_MAX", 1000)
    async with growing_trail(AuditSettings(data_dir=tmp_path)) as trail:
        await trail.take(*first_events(payments=1))
        database = trail.runtime.database
        ordered = await trail.order(Subject("case", CASE))
        made = await ready(database, ordered.id)
        assert made.status == "FAILED"
        assert "ask for less" in str(made.problem)
        async with database.transaction() as tx:
            with pytest.raises(Conflict):
                await usecases.fetch_file(tx, made.id)
        assert await published(database, "export-created") == 0


async def test_witnesses_and_time_stamps_travel_along(tmp_path):
    (tmp_path / "policy").write_text("")
    settings = AuditSettings(data_dir=tmp_path / "data", witness_policy_file=tmp_path / "policy")
    origins = [f"{settings.trail_origin}/{log}" for log in (LENDER, OTHER, "access", "operator")]
    vkey = signer_of(settings).verifier.vkey
    trusted = dict.fromkeys(origins, vkey)
    with SmallWitness("witness.example", trusted=trusted) as witness, TimeAuthority(tmp_path / "tsa") as authority:
        (tmp_path / "policy").write_text(f"witness w1 {witness.vkey} {witness.url}\nquorum w1\n")
        async with growing_trail(settings) as trail:
            await trail.take(*first_events(payments=5))
            await stamp_newest(trail, authority)
            export = await trail.export(Subject("case", CASE))
    files = members(export)
    assert files[f"logs/{LENDER}/witnesses"].decode() == witness.vkey + "\n"
    found = check(io.BytesIO(export), vkey)
    assert sum("The witness witness.example saw and signed" in line for line in found.statements) == 2
    assert sum("came with the file" in line for line in found.warnings) == 2
    assert check(io.BytesIO(export), vkey, [witness.vkey]).statements == found.statements
    with (
        SmallWitness("other.example", trusted={}) as other,
        pytest.raises(Wrong, match=r"0 signatures .* other\.example"),
    ):
        check(io.BytesIO(export), vkey, [other.vkey])
    forged = signed_anew(
        export, settings, lambda f: f.update({f"logs/{LENDER}/witnesses": (other.vkey + "\n").encode()})
    )
    with pytest.raises(Wrong, match=r"other\.example"):
        check(io.BytesIO(forged), vkey)
    for name in ("checkpoint", "checkpoint.tsr"):
        (tmp_path / name).write_bytes(files[f"logs/{LENDER}/{name}"])
    assert "Verification: OK" in openssl_says(tmp_path, authority.ca_file)


def openssl_says(folder, ca_file):
    command = ["openssl", "ts", "-verify", "-data", "checkpoint", "-in", "checkpoint.tsr", "-CAfile", ca_file]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


async def stamp_newest(trail, authority):
    """Stamp the newest checkpoint of the lender now; the trail's own stamper waits until its minute is over."""
    client = StampClient(authority.ca_file, authority.url)
    async with trail.runtime.database.reading() as tx:
        size, note = await newest_checkpoint(tx, LENDER)
    row = {"log_id": LENDER, "size": size, "stamp": await client.stamp(note), "stamped_at": "2026-03-02T01:00:00"}
    await client.close()
    async with trail.runtime.database.transaction() as tx:
        await tx.session.execute(insert(CHECKPOINT_STAMP).values(row))


@pytest.mark.slow
@pytest.mark.dialect
async def test_what_was_under_way_when_the_worker_ended_is_made_by_the_next(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=3))
        ordered = await trail.order(Subject("case", CASE))
    async with growing_trail(settings) as trail:
        assert (await ready(trail.runtime.database, ordered.id)).status == "READY"
        assert await published(trail.runtime.database, "export-created") == 1


BEND = "UPDATE entry SET leaf = CAST(replace(leaf, 'TWD', 'USD') AS BLOB) WHERE "
NTH = f"log_id = '{LENDER}' AND idx = (SELECT idx FROM entry_subject WHERE ref = 'case:{CASE}' AND n = {{}})"


async def test_events_that_never_came_are_named_until_they_come(tmp_path):
    async with growing_trail(AuditSettings(data_dir=tmp_path)) as trail:
        await trail.take(*first_events(payments=3))
        await trail.take(paid(CASE, 7))
        missing = [f"cases:{CASE}, version {version}." for version in (5, 6)]
        export = await trail.export(Subject("case", CASE))
        assert [line.partition("came: ")[2] for line in check(io.BytesIO(export), trail.vkey).warnings] == missing
        assert "trail.gap" in members(export)["report.en.html"].decode()
        await trail.take(paid(CASE, 6))
        export = await trail.export(Subject("case", CASE))
        assert [line.partition("came: ")[2] for line in check(io.BytesIO(export), trail.vkey).warnings] == missing[:1]


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        (BEND + NTH.format(100), "does not prove"),
        ("DELETE FROM entry WHERE " + NTH.format(100), "are there"),
        ("DELETE FROM entry WHERE " + NTH.format(301), "is not there"),
        ("UPDATE tile SET hashes = zeroblob(8192)", "does not prove"),
        ("UPDATE tile SET hashes = x'00'", "cannot be put together"),
        (f"DELETE FROM entry_subject WHERE ref = 'case:{CASE}' AND n = 100", "entry number 100 is missing"),
    ],
)
async def test_nothing_of_a_trail_that_does_not_hold_is_given_out(tmp_path, tampering, words):
    async with growing_trail(AuditSettings(data_dir=tmp_path)) as trail:
        await trail.take(*first_events(payments=300))
        with closing(sqlite3.connect(tmp_path / "audit.sqlite3")) as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {name}")
            assert database.execute(tampering).rowcount > 0
            database.commit()
        with pytest.raises(TrailDoesNotHold, match=words):
            await trail.export(Subject("case", CASE))


async def ready(database, export_id):
    for _ in range(1500):
        async with database.reading() as tx:
            found = await queries.get_export(tx, export_id)
        if found.status != "REQUESTED":
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("the export was not made")


async def published(database, name):
    outbox = TABLES.bus.outbox
    async with database.reading() as tx:
        statement = select(func.count()).where(outbox.c.headers.contains(f"doorstep.audit.{name}."))
        return await tx.session.scalar(statement.select_from(outbox))
