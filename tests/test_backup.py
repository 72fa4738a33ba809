"""Backup and restore of the embedded form, by the commands of docs/operations.md, and `doorstep backup` in trouble."""

import json
import sqlite3
import stat
import sys
import threading

import pytest
import typer
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.audit.settings import AuditSettings
from services.cli import backup as backup_command
from services.embedded import PARTS
from shared import keys
from shared.auth import Role
from shared.cli.output import Exit
from tests.actors.samples import row
from tests.house import running_house
from tests.operations_page import run

FILES = sorted(f"{name}.sqlite3" for name in ("bus", *PARTS))


def names_of_debtors(house, lender_id):
    """The names in the dossiers of a lender's cases: what only the right keys open."""
    cases = house.caller(Role.LENDER, lender=lender_id).every("/cases/v1/cases")
    return sorted(house.supervisor.get(f"/cases/v1/cases/{case['id']}/dossier")["name"] for case in cases)


@pytest.mark.slow
def test_a_backup_is_restored_and_an_old_one_is_refused_beside_newer_checkpoints(tmp_path):
    data, checkpoints, kept_keys = tmp_path / "data", tmp_path / "checkpoints", tmp_path / "keys"
    running, stopped = tmp_path / "running", tmp_path / "stopped"
    checkpoints.mkdir()
    with running_house(data, DOORSTEP_CHECKPOINT_DIR=str(checkpoints)) as house:
        lender = house.lender()
        lender.place(row("A-1", name="王小明"), row("A-2", name="Ann"))
        house.quiet()
        run("embedded backup", DATA=data, BACKUP=running)
        lender.place(row("A-3", name="李小龍"))
        house.quiet()
    run("embedded backup, stopped", DATA=data, BACKUP=stopped)
    run("embedded keys", DATA=data, KEYS=kept_keys)
    assert not [folder for folder in (running, stopped) if (folder / "keys").exists()]
    assert sorted(path.name for path in running.iterdir()) == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in running.iterdir()} == {0o600}

    given = {"KEYS": kept_keys, "CHECKPOINTS": checkpoints}
    said = run("embedded restore", BACKUP=stopped, RESTORED=tmp_path / "restored", **given)
    assert "The trail holds." in said
    # Entries that were signed are missing in the older one: it does not start (attestations/test_copies.py).
    said = run("embedded restore", expect=1, BACKUP=running, RESTORED=tmp_path / "old", **given)
    assert "rolled-back" in said
    with running_house(tmp_path / "old") as house:  # without the copies nothing contradicts it
        assert names_of_debtors(house, lender.id) == ["Ann", "王小明"]
        lender = house.lender()
        lender.place(row("B-1"))
        house.quiet()


def five_files(folder):
    """A data folder whose files each hold the numbers that were written so far."""
    folder.mkdir()
    for name in FILES:
        with sqlite3.connect(folder / name) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE written (n INTEGER PRIMARY KEY)")
            connection.execute("INSERT INTO written VALUES (0)")
        connection.close()
    return folder


def numbers(folder):
    found = []
    for name in FILES:
        connection = sqlite3.connect(folder / name)
        found.append(connection.execute("SELECT max(n) FROM written").fetchone()[0])
        connection.close()
    return found


def test_all_files_are_of_the_same_moment(tmp_path):
    """A writer counts up in one file after the other. Whatever moment is copied, a later file is never ahead."""
    data, stop = five_files(tmp_path / "data"), threading.Event()

    def write():
        opened = [sqlite3.connect(data / name, isolation_level=None, timeout=30) for name in FILES]
        n = 0
        while not stop.is_set():
            n += 1
            for connection in opened:
                connection.execute("INSERT INTO written VALUES (?)", (n,))
        for connection in opened:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            (tmp_path / str(number)).mkdir()
            backup_command._copy([data / name for name in reversed(FILES)], tmp_path / str(number))
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        found = numbers(tmp_path / str(number))
        assert found == sorted(found, reverse=True)
        assert found[0] - found[-1] <= 1
    assert numbers(tmp_path / "4")[0] > numbers(tmp_path / "0")[0]


def refused(data, to, capsys):
    """Exit status and sentence of a backup that is not made."""
    with pytest.raises(typer.Exit) as ended:
        backup_command.backup(to, data)
    return ended.value.exit_code, capsys.readouterr().err


def test_a_backup_that_cannot_be_made_leaves_nothing_and_says_why(tmp_path, capsys):
    data, bus = five_files(tmp_path / "data"), tmp_path / "data" / "bus.sqlite3"
    backup_command.backup(tmp_path / "first", data)
    status, told = refused(data, tmp_path / "first", capsys)
    assert (status, "is there already" in told) == (Exit.USAGE, True)
    bus.unlink()
    status, told = refused(data, tmp_path / "second", capsys)
    assert (status, "bus.sqlite3 is not there" in told) == (Exit.MISSING, True)
    bus.write_bytes(b"no database" * 1000)
    status, told = refused(data, tmp_path / "second", capsys)
    assert (status, "No backup was made" in told) == (Exit.MISSING, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "first"]
    assert numbers(tmp_path / "first") == [0] * 5


def test_the_keys_of_the_page_are_keys(tmp_path):
    """The commands as they are, with this Python in the place of the container's."""
    change = ("docker compose run --rm -T --no-deps --entrypoint python cases-api", sys.executable)
    root = backup_command.__file__.partition("/services/")[0]
    run("keys", change=change, cwd=tmp_path, PYTHONPATH=root)
    services = load_pem_private_key((tmp_path / "services.pem").read_bytes(), None)
    [published] = json.loads((tmp_path / "services.jwks.json").read_text())["keys"]
    assert published["kid"] == keys.key_id(services.public_key())
    settings = AuditSettings(
        master_key_file=tmp_path / "master.key",
        digest_secret_file=tmp_path / "digest.key",
        signing_key_file=tmp_path / "trail.pem",
    )
    assert len(keys.keyring(settings).newest.key) == len(keys.digest_secret(settings)) == 32
    assert keys.digest_secret(settings) != keys.keyring(settings).newest.key
    assert keys.private_key("signing_key_file", settings=settings, name="trail")
    ring = keys.keyring(settings)
    old = ring.newest
    run("a new line on top", cwd=tmp_path)
    assert ring.keys[1:] == (old,)
    private = [tmp_path / name for name in ("master.key", "digest.key", "services.pem", "trail.pem")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
