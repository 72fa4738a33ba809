"""Room on the disks: which errors say that there is none, how much is left, and whether writes were refused for it.

A full disk refuses writes and nothing else: a process goes on reading, and writes again by itself when there is room.
"""

import errno
import os
import sqlite3
from pathlib import Path

from shared.clock import monotonic_seconds
from shared.errors import OutOfStorage
from shared.telemetry import STORAGE_FREE_BYTES, STORAGE_FULL, Log, Throttled

FULL_BELOW_BYTES = 256 * 1024  # SQLite can write a few pages into a log that is there already; a commit needs more
REFUSAL_COUNTS_SECONDS = 10.0  # as long as a loop waits at most before it tries again

_ERRNO = (errno.ENOSPC, errno.EDQUOT)
_POSTGRESQL_DISK_FULL = "53100"
# SQLite says FULL for ENOSPC at a write; a quota, an fsync and the shared memory's file end as input/output errors.
_SQLITE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)

_log = Log("storage")


def says_full(error: BaseException | None) -> bool:
    """Whether an error of the system, of SQLite or of PostgreSQL says that a disk takes no more."""
    if isinstance(error, OSError):
        return error.errno in _ERRNO
    if getattr(error, "sqlstate", None) == _POSTGRESQL_DISK_FULL:
        return True
    return getattr(error, "sqlite_errorcode", None) in _SQLITE


def out_of_storage() -> OutOfStorage:
    """The refusal of a write for want of room."""
    return OutOfStorage(
        "storage-full",
        "The server's disk is full. Nothing of this request was kept; reading still works. "
        "Send it again when the operator has made room.",
    )


class Storage:
    """The room of one service's database. `folder` is on the disk of the database, None where that is elsewhere;
    `reserve_bytes` of that disk are kept free for small writes."""

    def __init__(self, service: str, folder: Path | None, reserve_bytes: int) -> None:
        self._service = service
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._refused_at = -REFUSAL_COUNTS_SECONDS
        self._trouble = Throttled(_log)
        STORAGE_FULL.labels(service).set_function(lambda: float(self.is_full))
        if folder is not None:
            STORAGE_FREE_BYTES.labels(service).set_function(lambda: self.free_bytes or 0)

    @property
    def free_bytes(self) -> int | None:
        """What is left for us on the disk of the database; None where it is not ours to see."""
        if self._folder is None:
            return None
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize

    @property
    def is_full(self) -> bool:
        """There is no room now, or a write was refused for it a moment ago and there is still little."""
        free = self.free_bytes
        if free is not None and free < FULL_BELOW_BYTES:
            return True
        refused = monotonic_seconds() - self._refused_at < REFUSAL_COUNTS_SECONDS
        return refused and (free is None or free < max(self._reserve_bytes, FULL_BELOW_BYTES))

    @property
    def state(self) -> str:
        """ "ok", or what is wrong, for the page of health."""
        if not self.is_full:
            return "ok"
        free = self.free_bytes
        left = "" if free is None else f" ({free} bytes are free in the data folder)"
        return f"full: writes are refused until there is room{left}"

    def refused(self) -> OutOfStorage:
        """Note that a write was refused for want of room. Returns the error to raise."""
        self._refused_at = monotonic_seconds()
        self._trouble.warning("the disk is full: a write was refused", service=self._service)
        return out_of_storage()

    def check_reserve(self) -> None:
        """Ask before much is written. Raises OutOfStorage while less than the reserve is free."""
        free = self.free_bytes
        if free is not None and free < self._reserve_bytes:
            raise OutOfStorage(
                "storage-low",
                "The server's disk is nearly full: files and exports wait, small requests still work. "
                "Send it again when the operator has made room.",
            )
