"""Trails to tamper with: taken in by the real sequencer, signed by the real publisher, on SQLite and on PostgreSQL. A
true one, an older backup of it, and another of the same size under the same key."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from deploy.dev.postgres import Postgres
from services.audit.settings import AuditSettings
from services.audit.trail.sequencer import Sequencer
from services.audit.verification.source import open_source
from services.audit.worker import SERVICE
from shared import migrations
from shared.bus.transport import Partition, Record
from shared.events.cases import TOPIC, CaseReferred, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope, Event
from shared.events.values import Amount
from shared.runtime import Runtime
from tests.house import doorstep
from tests.tamper.stores import Store, open_store

LENDERS = ("lender-1", "lender-2")
CASES = 60
BATCHES = (256, 100, 100, 100, 100, 64)
BACKUP_AFTER = 2
PLACE = Partition(TOPIC, 0)
NAMES = ("trail", "backup", "fork")


@dataclass(frozen=True, slots=True)
class Trails:
    """Three databases by name, each an SQLAlchemy URL; of lender-1's log in the true one, and in the backup, so many
    entries. `kept` is the newest checkpoint, kept elsewhere; `older` is that of the backup."""

    folder: Path
    postgres: Postgres | None
    size: int
    backup: int
    kept: Path
    older: str

    @property
    def database(self) -> str:
        return "PostgreSQL" if self.postgres else "SQLite"

    def copy(self, name: str, to: str) -> "Copy":
        """A copy of one of the trails, to be tampered with."""
        if self.postgres:
            asyncio.run(self.postgres._execute(f'CREATE DATABASE "{to}" TEMPLATE "{_database(self.folder, name)}"'))
            plain = self.postgres.url_of(to).replace("+asyncpg", "")
            return Copy(self, self.folder / "keys", self.postgres.url_of(to), plain)
        target = self.folder / to
        target.mkdir()
        for file in (self.folder / name).glob("audit.sqlite3*"):
            shutil.copy(file, target / file.name)
        path = target / "audit.sqlite3"
        return Copy(self, self.folder / "keys", f"sqlite+aiosqlite:///{path}", str(path))


@dataclass(frozen=True, slots=True)
class Copy:
    """`url` for SQLAlchemy, `plain` for a driver."""

    trails: Trails
    keys: Path
    url: str
    plain: str

    def tamper(self, do: Callable[[Store], object]) -> None:
        with closing(open_store(self.plain)) as store:
            do(store)

    def command(self, *more: str) -> list[str]:
        return doorstep("trail", "verify", "--keys", str(self.keys), "--json", *more)

    def environment(self) -> dict[str, str]:
        """The database is named as it is for a service; nothing else of ours is set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
        return kept | {"DOORSTEP_DATABASE_URL": self.url}

    def verify(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """`doorstep trail verify`, as a process."""
        return subprocess.run(
            self.command(*more), env=self.environment(), capture_output=True, text=True, check=False, timeout=300
        )

    def drop(self) -> None:
        if self.trails.postgres:
            self.trails.postgres.drop_database(self.url.rpartition("/")[2])
        else:
            shutil.rmtree(Path(self.plain).parent)


def build(folder: Path, postgres: Postgres | None) -> Trails:
    """Make the three. In `folder` are the keys and, on SQLite, the databases."""
    for name in NAMES:
        if postgres:
            postgres.create_database(_database(folder, name))
        else:
            (folder / name).mkdir()
    return asyncio.run(_build(folder, postgres))


def _database(folder: Path, name: str) -> str:
    return f"tamper_{folder.name}_{name}".lower().replace("-", "_")


async def _build(folder: Path, postgres: Postgres | None) -> Trails:
    urls = {
        name: postgres.url_of(_database(folder, name))
        if postgres
        else f"sqlite+aiosqlite:///{folder / name}/audit.sqlite3"
        for name in NAMES
    }
    size = await _fill(folder, urls["trail"], BATCHES, seed=1)
    backup = await _fill(folder, urls["backup"], BATCHES[:BACKUP_AFTER], seed=1)
    assert await _fill(folder, urls["fork"], BATCHES, seed=2) == size
    kept = folder / "kept.checkpoint"
    kept.write_text(await _newest_note(urls["trail"]))
    return Trails(folder, postgres, size, backup, kept, await _newest_note(urls["backup"]))


async def _newest_note(url: str) -> str:
    async with open_source(url) as source:
        query = "SELECT note FROM checkpoint WHERE log_id = $1 ORDER BY size DESC LIMIT 1"
        return str((await source.all(query, LENDERS[0]))[0][0])


async def _fill(folder: Path, url: str, batches: Sequence[int], seed: int) -> int:
    """Take in batches of events, each signed. Returns how many entries lender-1's log has."""
    settings = AuditSettings(data_dir=folder, database_url=url, keys_dir=folder / "keys")
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    runtime = Runtime(SERVICE, settings)
    await runtime.start()
    try:
        sequencer, offset, size = Sequencer(runtime), 0, 0
        assert await sequencer._lease.holds()
        for count in batches:
            records = [_record(seed, number) for number in range(offset, offset + count)]
            await sequencer.append({PLACE: records})
            await sequencer.publisher.publish_once()
            offset += count
            size += sum(_lender(number) == LENDERS[0] for number in range(offset - count, offset))
        if not url.startswith("postgresql"):
            async with runtime.database.engine.connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return size
    finally:
        await runtime.close()


def _lender(number: int) -> str:
    return LENDERS[number % CASES % 20 == 19]


def _record(seed: int, number: int) -> Record:
    case_id = _id(seed, 1, number % CASES)
    event = _event(seed, case_id, number)
    envelope = Envelope(
        event_id=_id(seed, 3, number),
        source="/cases",
        type=event.type,
        occurred_at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=number),
        subject=case_id,
        partition_key=case_id,
        sequence=number // CASES + 1,
        actor=SYSTEM,
        correlation_id=str(_id(seed, 4, number)),
        causation_id=None,
        lender_id=_lender(number),
        traceparent=None,
    )
    value = event.model_dump_json(exclude_none=True).encode()
    return Record(PLACE, number, str(case_id), envelope.headers(), value)


def _event(seed: int, case_id: UUID, number: int) -> Event:
    """Each fifth is a referral, with the rule that decided it; the others are payments."""
    if number % 5 == 0:
        inputs = {"days_past_due": number}
        return CaseReferred(
            case_id=case_id, referral_id=_id(seed, 5, number), rule_id=f"rule-{number % 3}", inputs=inputs
        )
    amount = Amount(amount=str(1000 + number), currency="TWD")
    return PaymentReceived(
        case_id=case_id, payment_id=_id(seed, 6, number), amount=amount, received_on=date(2026, 3, 2)
    )


def _id(seed: int, kind: int, number: int) -> UUID:
    return UUID(int=(seed << 120) | (7 << 76) | (2 << 62) | (kind << 32) | number)
