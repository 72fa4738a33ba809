"""Where nothing planted may stand: what a service published, the trail's leaves, its log, its metrics, the problems
that it answered, and the errors that it stored."""

import asyncio
import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import httpx
from sqlalchemy import select

from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE as AUDIT
from shared.bus.transport import Partition, Record
from shared.runtime import Runtime
from shared.telemetry import JsonLines
from tests.audit.conftest import opened
from tests.databases import migrated

ERROR_COLUMNS = ("last_error", "problem", "error", "message")


@contextmanager
def log_lines() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, as a process of ours writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for noisy in ("aiosqlite", "httpcore", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # as set_up_logging holds them back
    try:
        yield written
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class Problems:
    """The problems that were answered, as texts."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.texts: list[str] = []
        client.event_hooks["response"].append(self._note)

    async def _note(self, answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            self.texts.append(json.dumps(dict(answer.headers)) + (await answer.aread()).decode())


async def published(runtime: Runtime) -> list[Record]:
    """What a service published, as it stands in the outbox."""
    outbox, offsets = runtime.service.tables.bus.outbox, count()
    async with runtime.database.reading() as tx:
        rows = (await tx.session.execute(select(outbox).order_by(outbox.c.seq))).all()
    return [
        Record(Partition(row.topic, 0), next(offsets), str(row.key), json.loads(row.headers), row.payload)
        for row in rows
    ]


async def trail_of(records: list[Record], folder: Path) -> bytes:
    """The database of a trail that took these records: its leaves, and what it is searched by."""
    async with opened(await asyncio.to_thread(migrated, AuditSettings(data_dir=folder), AUDIT)) as trail:
        await trail.take(*records)
        await trail.publisher.publish_once()
    return raw(folder)


def stored_errors(database: Path) -> list[str]:
    """Each text of a column that holds an error."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = []
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for column in set(columns) & set(ERROR_COLUMNS):
                found += [str(text) for (text,) in connection.execute(f"SELECT {column} FROM {table}") if text]
    return found


def raw(folder: Path) -> bytes:
    """The bytes of all databases of a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.glob("*.sqlite3*")))
