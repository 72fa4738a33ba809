"""Checkpoints outside the data folder: there is always a whole one, and a restored backup does not get past them."""

import asyncio
import os
import shutil
import subprocess
from datetime import timedelta

import pytest

from services.audit.attestations.checkpoints import check_against_checkpoints, verifier_of
from services.audit.attestations.copies import CheckpointFolder, notes_in
from services.audit.settings import AuditSettings
from services.audit.trail.state import TrailBroken
from services.audit.verification.verify import verify
from services.cli.demo.systems import doorstep
from shared.clock import system_now
from tests.audit.publishing import LOG, trail_on

NOW = system_now()


def note(size):
    return f"doorstep/{LOG}\n{size}\nroot\n\n— x y\n"


def test_the_newest_is_there_and_one_a_minute_is_kept(tmp_path):
    folder = CheckpointFolder(tmp_path)
    minute_before = NOW - timedelta(minutes=1)
    for size in (1, 2):
        folder.write(LOG, size, note(size), minute_before)
    for size in (3, 4):
        folder.write(LOG, size, note(size), NOW)
    assert folder.newest() == {LOG: note(4)}
    [kept] = (tmp_path / LOG).glob("*/*.checkpoint")
    assert kept.relative_to(tmp_path / LOG).as_posix() == minute_before.strftime("%Y-%m-%d/%H-%M.checkpoint")
    assert kept.read_text() == note(2)
    assert sorted(notes_in(tmp_path)) == sorted([note(2), note(4)])
    assert notes_in(kept) == [note(2)]


def test_where_a_file_cannot_have_two_names_it_is_copied(tmp_path, monkeypatch):
    def refuse(*_names):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    folder = CheckpointFolder(tmp_path)
    for number in (1, 2):
        folder.write(LOG, number, note(number), NOW + timedelta(minutes=number))
    assert sorted(notes_in(tmp_path)) == sorted([note(1), note(2)])


def test_what_is_no_text_is_no_checkpoint(tmp_path):
    folder = CheckpointFolder(tmp_path)
    (tmp_path / LOG).mkdir()
    (tmp_path / LOG / "checkpoint").write_bytes(b"\xff\x00\xfe")
    assert folder.newest().keys() == {LOG}
    folder.write(LOG, 1, note(1), NOW)
    assert folder.newest() == {LOG: note(1)}


def test_a_smaller_one_does_not_take_its_place(tmp_path):
    folder = CheckpointFolder(tmp_path)
    folder.write(LOG, 5, note(5), NOW)
    folder.write(LOG, 4, note(4), NOW)
    assert folder.newest() == {LOG: note(5)}


@pytest.mark.parametrize("name", ["../out", "", ".", "a/b", "A"])
def test_no_log_climbs_out_of_the_folder(tmp_path, name):
    with pytest.raises(OSError, match="gets no folder"):
        CheckpointFolder(tmp_path / "in").write(name, 1, note(1), NOW)


async def check(trail):
    settings = trail.runtime.settings
    async with trail.runtime.database.reading() as tx:
        await check_against_checkpoints(tx, verifier_of(settings), settings)


async def test_a_folder_that_is_not_there_is_told_and_stops_nothing_but_the_start(tmp_path):
    async with trail_on(tmp_path, checkpoint_dir=tmp_path / "not-mounted") as trail:
        await trail.grow(2)
        assert await trail.publish() == 1
        assert not (tmp_path / "not-mounted").exists()
        with pytest.raises(TrailBroken, match="DOORSTEP_CHECKPOINT_DIR"):
            await check(trail)


async def test_a_restored_backup_does_not_start(tmp_path):
    outside, data = tmp_path / "outside", tmp_path / "data"
    outside.mkdir()
    async with trail_on(data, checkpoint_dir=outside) as trail:
        await trail.grow(5)
        assert await trail.publish() == 1
        await check(trail)
        offset = trail.offset
    shutil.copytree(data, tmp_path / "backup")
    async with trail_on(data, checkpoint_dir=outside) as trail:
        trail.offset = offset
        await trail.grow(300)
        assert await trail.publish() == 1
        await check(trail)
    assert await verified(data, outside) == []
    assert [problem.kind for problem in await verified(tmp_path / "backup", outside)] == ["rolled-back"]
    async with trail_on(tmp_path / "backup", checkpoint_dir=outside) as trail:
        with pytest.raises(TrailBroken, match="305 entries were signed, 5 are here"):
            await check(trail)
        trail.offset = offset
        await trail.grow(300)  # others than before: the same size, another tree
        with pytest.raises(TrailBroken, match="is not the one that was signed"):
            await check(trail)
    assert [problem.kind for problem in await verified(tmp_path / "backup", outside)] == ["forked"]
    async with trail_on(tmp_path / "backup") as trail:
        await check(trail)  # without the folder nobody could know


async def test_a_log_that_is_gone_as_a_whole_is_missed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    async with trail_on(tmp_path / "data", checkpoint_dir=outside) as trail:
        await trail.grow(5)
        await trail.publish()
    shutil.copytree(tmp_path / "data" / "keys", tmp_path / "fresh" / "keys")
    async with trail_on(tmp_path / "fresh", checkpoint_dir=outside) as trail:
        with pytest.raises(TrailBroken, match="5 entries were signed, 0 are here"):
            await check(trail)


async def test_a_forged_copy_is_named(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    async with trail_on(tmp_path / "data", checkpoint_dir=outside) as trail:
        await trail.grow(5)
        await trail.publish()
        copy = outside / LOG / "checkpoint"
        copy.write_text(copy.read_text().replace("\n5\n", "\n4\n"))
        with pytest.raises(TrailBroken, match="is not ours"):
            await check(trail)


async def verified(data, outside):
    """What `verify --against` the folder finds."""
    settings = AuditSettings(data_dir=data)
    url, ours = settings.database_url_of("audit"), [verifier_of(settings)]
    found = await verify(url, verifiers=ours, origin=settings.trail_origin, against=notes_in(outside), processes=1)
    return [problem for log in found.logs for problem in log.problems]


async def newer_than_its_backup(tmp_path):
    """A data folder that went on after it was copied to `backup`; its checkpoints are in `outside`."""
    outside, data = tmp_path / "outside", tmp_path / "data"
    outside.mkdir()
    async with trail_on(data, checkpoint_dir=outside) as trail:
        await trail.grow(5)
        await trail.publish()
        offset = trail.offset
    shutil.copytree(data, tmp_path / "backup")
    async with trail_on(data, checkpoint_dir=outside) as trail:
        trail.offset = offset
        await trail.grow(5)
        await trail.publish()


@pytest.mark.slow
def test_the_whole_system_does_not_start_on_an_old_backup_and_says_why(tmp_path):
    asyncio.run(newer_than_its_backup(tmp_path))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
    done = subprocess.run(
        doorstep("up", "--port", "0", "--data", str(tmp_path / "backup"), "--json"),
        env=kept | {"DOORSTEP_CHECKPOINT_DIR": str(tmp_path / "outside")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "10 entries were signed, 5 are here" in done.stderr
    assert "trail verify" in done.stderr
