"""The data folder of the embedded form: whether it can be used, and who uses it.

One process at a time may write to it as a whole. A lock of the kernel says so: it ends with its process, however that
ends, so a folder is never locked by a process that is gone.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.errors import CannotRun

LOCK = "doorstep.lock"
FILES = ("cases.sqlite3", "visits.sqlite3", "followup.sqlite3", "audit.sqlite3", "bus.sqlite3")
SQLITE_BEGINS_WITH = b"SQLite format 3\0"
ANOTHER = "Name another with --data or DOORSTEP_DATA_DIR."


@dataclass(frozen=True, slots=True)
class FolderLock:
    """The lock of a folder, held by this process."""

    descriptor: int
    command: str

    def note(self, port: int | None = None) -> None:
        """Write down who holds the lock, for the process that finds it taken."""
        holder = {"pid": os.getpid(), "command": self.command, "port": port}
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(holder).encode(), 0)


@contextmanager
def locked(folder: Path, command: str) -> Iterator[FolderLock]:
    """Make the folder if it is not there, and hold its lock. Raises CannotRun where the folder cannot be used, or
    another process has the lock."""
    make(folder)
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotRun(f"The data folder {folder} cannot be written: {error.strerror}. {ANOTHER}") from error
    try:
        _lock(descriptor, folder)
        lock = FolderLock(descriptor, command)
        lock.note()
        for name in FILES:
            check_database(folder / name, mode="r+b")
        yield lock
    finally:
        os.close(descriptor)


def make(folder: Path) -> None:
    """Make the folder, its owner's only. Raises CannotRun."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError as error:
        raise CannotRun(f"{folder} is a file: the data need a folder. {ANOTHER}") from error
    except NotADirectoryError as error:
        raise CannotRun(f"{folder} lies below a file: the data need a folder. {ANOTHER}") from error
    except OSError as error:
        raise CannotRun(f"The data folder {folder} cannot be made: {error.strerror}. {ANOTHER}") from error


def check_database(path: Path, *, mode: str = "rb") -> None:
    """Raises CannotRun for a file that is there but is no SQLite database, or cannot be opened in this mode."""
    try:
        if not path.exists():
            return
        if not path.is_file():
            raise CannotRun(f"{path} is no file: it must be a database of Doorstep. {ANOTHER}")
        with path.open(mode) as file:
            begin = file.read(len(SQLITE_BEGINS_WITH))
    except OSError as error:
        raise CannotRun(f"{path} cannot be used: {error.strerror}.") from error
    if begin not in (b"", SQLITE_BEGINS_WITH):
        raise CannotRun(f"{path} is no SQLite database, or it is damaged: restore the folder from a backup.")


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotRun(f"The data folder {folder} is in use by {_holder(descriptor)}. End it first.") from error
    except OSError as error:
        raise CannotRun(
            f"The file system of {folder} knows no locks ({error.strerror}); SQLite needs them, too. Name a folder on "
            "a local disk with --data or DOORSTEP_DATA_DIR."
        ) from error


def _holder(descriptor: int) -> str:
    try:
        found = json.loads(os.pread(descriptor, 1000, 0))
        port = f", port {found['port']}" if found["port"] else ""
        return f"`doorstep {found['command']}`, process {found['pid']}{port}"
    except (ValueError, KeyError, TypeError):
        return "another process"
