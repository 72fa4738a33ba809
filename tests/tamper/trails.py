"""Trails to tamper with: taken in by the real sequencer, signed by the real publisher, on SQLite and on PostgreSQL. A
true one, an older backup of it, and another of the same size under the same key."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

from deploy.dev.postgres import Postgres
from services.audit.attestations import publisher as publishing
from services.audit.attestations.checkpoints import newest_checkpoints
from services.audit.attestations.sequencing import attested
from services.audit.settings import AuditSettings
from services.audit.trail import sequencer as sequencing
from services.audit.trail.sequencer import Sequencer
from services.audit.worker import SERVICE
from services.cli.demo.systems import doorstep
from shared import migrations
from shared.bus.transport import Partition, Record
from shared.events.cases import TOPIC, CaseReferred, PaymentReceived
from shared.events.envelope import SYSTEM, Envelope, Event
from shared.events.values import Amount
from shared.runtime import Runtime
from tests.tamper.stores import Store, open_store

LENDERS = ("lender-1", "lender-2")
CASES = 60
BATCHES = (256, 100, 100, 100, 100, 64)
BACKUP_AFTER = 2
BEAT_BEFORE = 4
PLACE = Partition(TOPIC, 0)
NAMES = ("trail", "backup", "fork")


@dataclass(frozen=True, slots=True)
class Trails:
    """Three databases by name, each an SQLAlchemy URL; of lender-1's log in the true one, and in the backup, so many
    entries. `kept` is the newest checkpoint, kept elsewhere; `older` is that of the backup. `notes` are all checkpoints
    of the true one, by log and size. All is an hour old."""

    folder: Path
    postgres: Postgres | None
    size: int
    backup: int
    kept: Path
    older: str
    notes: Mapping[str, Mapping[int, str]]

    @property
    def database(self) -> str:
        return "PostgreSQL" if self.postgres else "SQLite"

    def copy(self, name: str, to: str) -> "Copy":
        """A copy of one of the trails, to be tampered with; the copies of its checkpoints come along."""
        copies = self.folder / f"copies-{to}"
        shutil.copytree(self.folder / "copies" / name, copies)
        if self.postgres:
            asyncio.run(self.postgres._execute(f'CREATE DATABASE "{to}" TEMPLATE "{_database(self.folder, name)}"'))
            plain = self.postgres.url_of(to).replace("+asyncpg", "")
            return Copy(self, self.folder / "keys", self.postgres.url_of(to), plain, copies)
        target = self.folder / to
        target.mkdir()
        for file in (self.folder / name).glob("audit.sqlite3*"):
            shutil.copy(file, target / file.name)
        path = target / "audit.sqlite3"
        return Copy(self, self.folder / "keys", f"sqlite+aiosqlite:///{path}", str(path), copies)


@dataclass(frozen=True, slots=True)
class Copy:
    """`url` for SQLAlchemy, `plain` for a driver."""

    trails: Trails
    keys: Path
    url: str
    plain: str
    copies: Path

    def tamper(self, do: Callable[[Store], object]) -> None:
        with closing(open_store(self.plain)) as store:
            do(store)

    def command(self, *more: str) -> list[str]:
        return doorstep("trail", "verify", "--keys", str(self.keys), "--json", *more)

    def environment(self) -> dict[str, str]:
        """The database is named as it is for a service; nothing else of ours is set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
        return kept | {"DOORSTEP_DATABASE_URL": self.url, "DOORSTEP_CHECKPOINT_DIR": str(self.copies)}

    def verify(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """`doorstep trail verify`, as a process."""
        return subprocess.run(
            self.command(*more), env=self.environment(), capture_output=True, text=True, check=False, timeout=300
        )

    def drop(self) -> None:
        shutil.rmtree(self.copies)
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
    for name in NAMES:
        (folder / "copies" / name).mkdir(parents=True)
    with patch.object(sequencing, "system_now", _an_hour_ago), patch.object(publishing, "system_now", _an_hour_ago):
        notes = await _fill(folder, "trail", urls["trail"], BATCHES, seed=1)
        backup = await _fill(folder, "backup", urls["backup"], BATCHES[:BACKUP_AFTER], seed=1)
        assert max((await _fill(folder, "fork", urls["fork"], BATCHES, seed=2))[LENDERS[0]]) == max(notes[LENDERS[0]])
    kept, size = folder / "kept.checkpoint", max(notes[LENDERS[0]])
    kept.write_text(notes[LENDERS[0]][size])
    older = max(backup[LENDERS[0]])
    return Trails(folder, postgres, size, older, kept, backup[LENDERS[0]][older], notes)


def _an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def _fill(folder: Path, name: str, url: str, batches: Sequence[int], seed: int) -> dict[str, dict[int, str]]:
    """Take in batches of events, each signed; before the last but one, logs name each other. Returns the checkpoints of
    each log, by size."""
    settings = AuditSettings(
        data_dir=folder,
        database_url=url,
        keys_dir=folder / "keys",
        checkpoint_dir=folder / "copies" / name,
        heartbeat_seconds=1,
    )
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    runtime = Runtime(SERVICE, settings)
    await runtime.start()
    try:
        both, offset = attested(runtime), 0
        sequencer = both.sequencer
        assert await sequencer._lease.holds()
        notes: dict[str, dict[int, str]] = {}
        for number, count in enumerate(batches):
            if number == BEAT_BEFORE:
                await _beat(sequencer)
            records = [_record(seed, number) for number in range(offset, offset + count)]
            await sequencer.append({PLACE: records})
            await both.publisher.publish_once()
            offset += count
            async with runtime.database.reading() as tx:
                for log, (size, note) in (await newest_checkpoints(tx)).items():
                    notes.setdefault(log, {})[size] = note
        if not url.startswith("postgresql"):
            async with runtime.database.engine.connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return notes
    finally:
        await runtime.close()


async def _beat(sequencer: Sequencer) -> None:
    """As if the logs were older than this second's beat."""
    with patch.object(sequencing, "system_now", lambda: _an_hour_ago() + timedelta(seconds=2)):
        assert await sequencer.beat() == 1 + len(LENDERS)


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
