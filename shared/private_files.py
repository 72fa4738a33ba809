"""Rights of the files that hold personal data: 0600 in folders of 0700. Every command takes the umask before it makes a
file, so that SQLite's files (-wal, -shm), logs, copies and exports are private from their first byte.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

UMASK = 0o077
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What Doorstep itself puts into a data folder. A file of another program in the same folder keeps its mode.
OURS = ("*.sqlite3", "*.sqlite3-*", "*.log", "sample.csv", "keys", "evidence", "exports")


def keep_private() -> None:
    """Files and folders that this process and its children make from now on are readable by their owner only."""
    os.umask(UMASK)


def mend(folder: Path) -> list[str]:
    """Take the rights of group and others off a data folder of an earlier release, and off our files in it. Returns a
    sentence about what was changed, and one about what could not be. Symbolic links are not followed."""
    if not folder.is_dir():
        return []
    words, found = [], list(_ours(folder))
    if _is_shared(folder):
        words.append(f"{folder} is a folder that several users share. Name a folder of your own for the data.")
    else:
        found.insert(0, folder)
    mended = failed = 0
    for path in found:
        try:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & _OTHERS:
                path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
                mended += 1
        except OSError:
            failed += 1
    if mended:
        words.append(f"{folder}: other users could reach {mended} files or folders. Now only their owner can.")
    if failed:
        words.append(f"{folder}: the mode of {failed} files could not be changed. Let their owner start Doorstep.")
    return words


def _is_shared(folder: Path) -> bool:
    """A folder such as /tmp must not be closed to its other users."""
    status = folder.stat()
    return bool(status.st_mode & stat.S_ISVTX) or status.st_uid != os.geteuid()


def _ours(folder: Path) -> Iterator[Path]:
    for pattern in OURS:
        for path in folder.glob(pattern):
            yield path
            if path.is_dir() and not path.is_symlink():
                for root, folders, files in os.walk(path):
                    yield from (Path(root, name) for name in (*folders, *files))


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file by another of the same owner and mode, at once and for good: a process that is killed in between
    leaves the old file whole."""
    old = path.stat()
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
