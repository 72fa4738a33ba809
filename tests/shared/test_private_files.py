"""A data folder of an earlier release is closed to other users, and what is not ours in it keeps its mode."""

import os

from shared.private_files import mend


def modes(folder):
    return {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def test_an_older_folder_is_closed(tmp_path):
    data = tmp_path / "data"
    (data / "keys").mkdir(parents=True, mode=0o755)
    for name in ("cases.sqlite3", "cases.sqlite3-wal", "bus.sqlite3-shm", "up.log", "keys/issuer.pem"):
        (data / name).write_bytes(b"")
        (data / name).chmod(0o644)
    data.chmod(0o755)
    [word] = mend(data)
    assert word.endswith("other users could reach 7 files or folders. Now only their owner can.")
    assert data.stat().st_mode & 0o777 == 0o700
    assert modes(data) == {
        "keys": 0o700,
        "cases.sqlite3": 0o600,
        "cases.sqlite3-wal": 0o600,
        "bus.sqlite3-shm": 0o600,
        "up.log": 0o600,
        "issuer.pem": 0o600,
    }
    assert mend(data) == []


def test_a_shared_folder_stays_open_and_is_named(tmp_path):
    (tmp_path / "cases.sqlite3").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    for path, mode in ((tmp_path, 0o1777), (tmp_path / "cases.sqlite3", 0o644), (tmp_path / "notes.txt", 0o644)):
        path.chmod(mode)
    shared, mended = mend(tmp_path)
    assert "several users share" in shared
    assert "1 files" in mended
    assert tmp_path.stat().st_mode & 0o1777 == 0o1777
    assert modes(tmp_path) == {"cases.sqlite3": 0o600, "notes.txt": 0o644}


def test_a_link_is_not_followed(tmp_path):
    data, outside = tmp_path / "data", tmp_path / "outside.sqlite3"
    data.mkdir(mode=0o700)
    outside.write_bytes(b"")
    outside.chmod(0o644)
    os.symlink(outside, data / "cases.sqlite3")
    assert mend(data) == []
    assert outside.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_not_there_needs_no_mending(tmp_path):
    assert mend(tmp_path / "none") == []
