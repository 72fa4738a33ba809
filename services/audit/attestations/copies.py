"""Checkpoints outside the data folder: each log's newest, and one a minute, where a restored backup cannot reach them.
Its one rule: a file is there whole or not at all, and the newest never gives way to a smaller one.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

NEWEST = "checkpoint"
_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


class CheckpointFolder:
    """A folder such as a mounted bucket or another disk: `LOG/checkpoint`, `LOG/2026-11-26/11-05.checkpoint`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, log_id: str, size: int, note: str, now: datetime) -> None:
        """Put a checkpoint in the place of the newest; the last of each minute is kept. Raises OSError."""
        if not _SAFE_NAME.fullmatch(log_id):
            raise OSError(f"a log of this name gets no folder: {log_id!r}")
        folder = self.path / log_id
        folder.mkdir(exist_ok=True)  # but not the folder itself: a disk that is not mounted must not go unseen
        newest = folder / NEWEST
        if newest.exists():
            if size_in(_read(newest)) >= size:
                return
            _keep(newest, now)
        _write_whole(newest, note, now)

    def newest(self) -> dict[str, str]:
        """The newest checkpoint of each log, by its name. Raises OSError where the folder is not there."""
        folders = sorted(each for each in self.path.iterdir() if (each / NEWEST).exists() and each.name[0] != ".")
        return {folder.name: _read(folder / NEWEST) for folder in folders}

    def sample(self) -> list[str]:
        """Each log's newest checkpoint and the last one of each day: enough to find another history, since a larger
        tree proves every smaller one. Raises OSError where the folder is not there."""
        found = list(self.newest().values())
        for log in sorted(each for each in self.path.iterdir() if each.is_dir() and each.name[0] != "."):
            for day in sorted(each for each in log.iterdir() if each.is_dir()):
                found += [_read(last) for last in sorted(day.glob("*.checkpoint"))[-1:]]
        return found

    def put_aside(self, log_id: str, above: int, name: str) -> int:
        """Move a log's copies of more than `above` entries to the folder `.NAME`, where only people look. Returns how
        many. Raises OSError."""
        moved = 0
        for file in sorted(_checkpoints_below(self.path / log_id)):
            if size_in(_read(file)) > above:
                target = self.path / f".{name}" / file.relative_to(self.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
                _sync_folder(target.parent)
                _sync_folder(file.parent)
                moved += 1
        return moved


def notes_in(path: Path) -> list[str]:
    """The checkpoints in a file, or in all files of a folder and what is below it. Raises OSError."""
    if not path.is_dir():
        return [_read(path)]
    return [_read(file) for file in sorted(_checkpoints_below(path))]


def _read(path: Path) -> str:
    """What stands in a file; what is no text is no checkpoint either, and is found to be none."""
    return path.read_text(encoding="utf-8", errors="replace")


def _checkpoints_below(path: Path) -> Iterator[Path]:
    """Files and folders that begin with a dot are drafts, or were put aside."""
    found = path.rglob("*checkpoint") if path.is_dir() else ()
    return (
        file for file in found if file.is_file() and not any(part[0] == "." for part in file.relative_to(path).parts)
    )


def size_in(note: str) -> int:
    """The size that a note names, unverified; 0 where it names none."""
    lines = note.split("\n", 2)
    return int(lines[1]) if len(lines) == 3 and lines[1].isdecimal() else 0


def _keep(newest: Path, now: datetime) -> None:
    """Before the first checkpoint of another minute: a second name for the last one of the minute before."""
    written = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    if written.strftime("%Y-%m-%d %H:%M") == now.astimezone(UTC).strftime("%Y-%m-%d %H:%M"):
        return
    day = newest.parent / written.strftime("%Y-%m-%d")
    day.mkdir(exist_ok=True)
    kept = day / written.strftime("%H-%M.checkpoint")
    try:
        with suppress(FileExistsError):
            os.link(newest, kept)
        _sync_folder(day)
    except OSError:  # a mounted bucket knows no second names
        _write_whole(kept, _read(newest), written)


def _write_whole(path: Path, text: str, now: datetime) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.utime(draft, (now.timestamp(), now.timestamp()))
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
