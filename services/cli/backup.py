"""`doorstep backup`: copies the databases and the bus of a data folder while the system runs.

All files are copied as of one moment: a short lock on each stops writing until each has a snapshot; the snapshots are
copied while writing goes on. Keys are never copied: a backup that holds them would open the personal data in it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Annotated

import typer

from shared.cli.options import DataOption
from shared.cli.output import Exit, fail, out
from shared.settings import Settings

# One database a service, and the bus.
FILES = ("audit.sqlite3", "bus.sqlite3", "cases.sqlite3", "followup.sqlite3", "visits.sqlite3")
LOCK_SECONDS_MAX = 30
PAGES_AT_ONCE = 4096


def register(app: typer.Typer) -> None:
    app.command()(backup)


def backup(
    to: Annotated[Path, typer.Argument(help="folder to write; it must not exist yet")],
    data: DataOption = None,
) -> None:
    """Copy the embedded form's data while it runs. Keep its keys apart: they are not copied."""
    settings = Settings.load(**({"data_dir": data} if data else {}))
    sources = [settings.data_dir / name for name in FILES]
    if missing := [path.name for path in sources if not path.is_file()]:
        fail(Exit.MISSING, f"--data {settings.data_dir}: {', '.join(missing)} is not there. Name the data folder.")
    if to.exists():
        fail(Exit.USAGE, f"{to} is there already. Name a new folder.")
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        draft.mkdir(mode=0o700, parents=True)
        _copy(sources, draft)
        draft.rename(to)
    except (sqlite3.Error, OSError) as error:
        rmtree(draft, ignore_errors=True)
        fail(Exit.MISSING, f"No backup was made: {error}")
    out.print(f"Backup in {to}: {', '.join(FILES)}. Keep the keys apart.", soft_wrap=True)


def _copy(sources: list[Path], folder: Path) -> None:
    with ExitStack() as opened:
        snapshots = _snapshots(sources, opened)
        for source, snapshot in zip(sources, snapshots, strict=True):
            copy = folder / source.name
            copy.touch(mode=0o600)
            with _connected(copy) as target:
                snapshot.backup(target, pages=PAGES_AT_ONCE)
            _sync(copy)
        _sync(folder)


def _snapshots(sources: list[Path], opened: ExitStack) -> list[sqlite3.Connection]:
    """A reading connection to each file, all of them as of the same moment."""
    with ExitStack() as locked:
        for source in sources:
            locked.enter_context(_connected(source)).execute("BEGIN IMMEDIATE")  # closing takes it back
        snapshots = [opened.enter_context(_connected(source)) for source in sources]
        for snapshot in snapshots:
            snapshot.execute("BEGIN")
            snapshot.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # a snapshot begins with the first read
    return snapshots


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS_MAX, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
