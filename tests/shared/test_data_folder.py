"""A data folder has one process that writes to it as a whole, and says in words why it cannot be used."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.data_folder import LOCK, check_database, locked
from shared.errors import CannotRun

HOLD = """
import sys, time
from pathlib import Path
from shared.data_folder import locked
with locked(Path(sys.argv[1]), "up") as lock:
    lock.note(8080)
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone_however_it_ends(tmp_path):
    folder = tmp_path / "new" / "data"
    holding = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True)
    try:
        assert holding.stdout.readline() == "held\n"
        words = f"in use by `doorstep up`, process {holding.pid}, port 8080"
        with pytest.raises(CannotRun, match=words), locked(folder, "migrate"):
            pass
    finally:
        holding.send_signal(signal.SIGKILL)
        holding.wait()
        holding.stdout.close()
    with locked(folder, "migrate"):
        assert (folder / LOCK).stat().st_mode & 0o777 == 0o600
    with locked(folder, "up"):
        pass


def test_a_holder_that_has_not_written_its_name_is_another_process(tmp_path):
    with locked(tmp_path, "up"):
        (tmp_path / LOCK).write_bytes(b"")
        with pytest.raises(CannotRun, match="in use by another process"), locked(tmp_path, "up"):
            pass


def test_two_folders_are_two(tmp_path):
    with locked(tmp_path / "a", "up"), locked(tmp_path / "b", "up"):
        assert (tmp_path / "b" / LOCK).exists()


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("file", "is a file: the data need a folder"),
        ("file/below", "lies below a file"),
        ("/proc/doorstep", "cannot be made"),
        ("/proc", "cannot be written"),
        ("x" * 300, "cannot be made: File name too long"),
    ],
)
def test_what_is_no_folder_to_write_in_is_said(tmp_path, folder, words):
    (tmp_path / "file").touch()
    with pytest.raises(CannotRun, match=words), locked(tmp_path / folder, "up"):
        pass


@pytest.fixture
def of_another_user():
    """A folder that this process may read but not write. Root may write everywhere, so it is another user meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)
            Path(folder).chmod(0o755)


@pytest.mark.parametrize(("below", "words"), [("", "cannot be written: Permission denied"), ("new", "cannot be made")])
def test_a_folder_of_another_user_is_said(of_another_user, below, words):
    with pytest.raises(CannotRun, match=words), locked(of_another_user / below, "up"):
        pass


@pytest.mark.parametrize(("content", "fine"), [(b"", True), (b"SQLite format 3\0rest", True), (b"PK\3\4zip", False)])
def test_a_file_that_is_no_database_is_named(tmp_path, content, fine):
    path = tmp_path / "visits.sqlite3"
    path.write_bytes(content)
    if fine:
        check_database(path)
    else:
        with pytest.raises(CannotRun, match=r"visits\.sqlite3 is no SQLite database"), locked(tmp_path, "up"):
            pass


def test_a_folder_in_the_place_of_a_database_is_named(tmp_path):
    (tmp_path / "bus.sqlite3").mkdir()
    with pytest.raises(CannotRun, match=r"bus\.sqlite3 is no file"), locked(tmp_path, "up"):
        pass
