"""A disk that is soon full: a small file system in memory (tmpfs), mounted for one test and unmounted after it."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.dev.processes import ServerMissing
from tests.servers import missing

BLOCK_BYTES = 4096


class SmallDisk:
    """A mounted disk. `fill` takes what is free, but for some; `empty` gives it back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @property
    def free_bytes(self) -> int:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        file = os.open(self._ballast, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            while self.free_bytes > leave_bytes:
                os.write(file, bytes(max(BLOCK_BYTES, min(1 << 20, self.free_bytes - leave_bytes))))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(file)

    def empty(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount it at a folder. Where this user may not mount, the test fails in CI and is skipped elsewhere."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(ServerMissing(f"a small disk is needed, but mounting is not allowed: {done.stderr.strip()}"))
    try:
        yield SmallDisk(path)
    finally:
        # Lazily, so that a process that a failed test left behind does not keep the mount.
        subprocess.run(["umount", "--lazy", str(path)], check=True)
