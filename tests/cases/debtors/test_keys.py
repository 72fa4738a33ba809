"""Debtors' keys: data of the last release open after the upgrade, and a destroyed key erases a debtor."""

import asyncio
import hashlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine

from services.cases.app import create_app
from services.cases.debtors.domain import reference_digest
from services.cases.debtors.tables import AddressRow, DebtorRow
from services.cases.debtors.usecases import open_positions
from services.cases.placements.jobs import PLACEMENTS
from services.cases.placements.tables import PlacementChunkRow
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared import keys, migrations
from shared.database import UtcTime
from shared.ids import new_id
from shared.job_runner import run_next
from shared.runtime import Runtime
from shared.sealing import Sealer
from shared.vault import BEFORE
from tests.actors.samples import PROFILE, file_of, row
from tests.cases.conftest import NOON, System
from tests.databases import database
from tests.one_service import LENDER, client_of

BEFORE_KEYS = "0009"
MASTER = b"m" * 32
IDENTITY = {"debtor_ref": "A-1", "name": "王小明", "national_id": "A123456789", "phone": None, "language": None}
ADDRESS = {"text": "台北市", "district": None, "latitude": 25.03, "longitude": 121.56}


def sealed_before(master: Sealer, case: Any, debtor: Any) -> dict[str, list[dict[str, Any]]]:
    """A lender, a case with its debtor, and a file under way, as the last release stored them."""
    wrapped, key = master.seal(b"k" * 32, "subject-key"), Sealer(b"k" * 32)
    file, placement = file_of(row("A-1", 300_000), row("A-2")), new_id()
    now = datetime(2026, 3, 1, tzinfo=UTC)

    def packed(value: dict[str, Any]) -> bytes:
        return json.dumps(value, ensure_ascii=False).encode()

    case_row = {
        "id": case, "lender_id": LENDER, "debtor_id": debtor, "placement_id": new_id(), "jurisdiction": "tw",
        "country": "TW", "transferred": None, "time_zone": "Asia/Taipei", "product": "CREDIT_CARD", "currency": "TWD",
        "balance_minor": 250_000, "days_past_due": 60, "bucket": "B2", "accounts": 1, "opened_at": now, "version": 1,
        "overpaid_minor": 0, "attempts_without_contact": 0, "refusals": 0, "referred": False, "holds": 0,
    }  # fmt: skip
    return {
        "lender": [{"id": LENDER, "name": LENDER, "profile_version": 1, "created_at": now}],
        "feed_profile": [{"lender_id": LENDER, "version": 1, "document": PROFILE, "created_at": now}],
        "case_file": [case_row],
        "debtor": [
            {
                "id": debtor,
                "case_id": case,
                "lender_id": LENDER,
                "wrapped_key": wrapped,
                "ref_digest": reference_digest(MASTER, LENDER, "TWD/A-1"),
                "sealed_identity": key.seal(packed(IDENTITY), "debtor-identity"),
            }
        ],
        "address": [
            {
                "id": new_id(),
                "case_id": case,
                "debtor_id": debtor,
                "sealed": key.seal(packed(ADDRESS), "debtor-address"),
            }
        ],
        "account": [
            {
                "id": new_id(),
                "case_id": case,
                "lender_id": LENDER,
                "account_ref": "A-1",
                "product": "CREDIT_CARD",
                "balance_minor": 250_000,
                "days_past_due": 60,
            }
        ],
        "placement": [
            {
                "id": placement,
                "lender_id": LENDER,
                "sha256": hashlib.sha256(file).hexdigest(),
                "media_type": "text/csv",
                "profile_version": 1,
                "bytes": len(file),
                "status": "RECEIVED",
                "received_at": now,
                "next_row": 0,
                "accepted": 0,
                "updated": 0,
                "rejected_by_code": {},
                "accepted_minor": {},
            }
        ],
        "placement_chunk": [
            {
                "placement_id": placement,
                "number": number,
                "sealed": master.seal(part, f"placement/{placement}/{number}"),
            }
            for number, part in enumerate((file[:50], file[50:]))
        ],
    }


@pytest.fixture
def of_last_release(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> CasesSettings:
    """A database of the last release, upgraded; its master key is the one of the keys folder."""
    settings = CasesSettings(data_dir=tmp_path, clock=NOON, **database(request))
    keys.write_once(settings.keys_path / "master.key", b64encode(MASTER))
    url = settings.database_url_of("cases")
    command.upgrade(migrations.config_of(SERVICE.migrations, url), BEFORE_KEYS)
    store(url, sealed_before(Sealer(MASTER), new_id(), new_id()))
    migrations.upgrade(SERVICE.migrations, url)
    return settings


def store(url: str, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write rows: the columns that are named, in the types that they have today; those that are gone, in the types of
    their values."""
    today = SERVICE.tables.metadata.tables
    of_values = {dict: sa.JSON(), datetime: UtcTime()}

    def kind(table: str, column: str, value: Any) -> Any:
        found = today[table].c.get(column) if table in today else None
        return of_values.get(type(value)) if found is None else found.type

    async def run() -> None:
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                for name, rows in tables.items():
                    columns = (sa.column(column, kind(name, column, value)) for column, value in rows[0].items())
                    table = sa.table(name, *columns)
                    await connection.execute(table.insert(), rows)
        finally:
            await engine.dispose()

    asyncio.run(run())


@asynccontextmanager
async def running(settings: CasesSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        yield System(runtime, client)


async def keys_of(system: System, of_class: str) -> list[sa.Row[Any]]:
    table = system.runtime.vault.table
    async with system.runtime.database.reading() as tx:
        return list(await tx.session.execute(sa.select(table).where(table.c["class"] == of_class)))


async def positions(system: System, *cases: str) -> dict[str, tuple[float, float]]:
    async with system.runtime.database.reading() as tx:
        found = await open_positions(tx, [UUID(case) for case in cases])
    return {str(case): place for case, place in found.items()}


@pytest.mark.dialect
async def test_data_of_the_last_release_open_and_its_debtors_are_known(of_last_release: CasesSettings) -> None:
    async with running(of_last_release) as system:
        assert system.runtime.digest_secret == system.runtime.keyring.newest.key == MASTER
        [key] = await keys_of(system, "contact")
        assert key.kek_id == BEFORE
        [case] = (await system.get("/cases"))["items"]
        found = await system.post("/debtor-searches", {"lender_id": LENDER, "reference": "A-1"})
        assert [each["case_id"] for each in found["items"]] == [case["id"]]
        dossier = await system.get(f"/cases/{case['id']}/dossier")
        assert (dossier["name"], dossier["addresses"][0]["text"]) == ("王小明", "台北市")
        assert await positions(system, case["id"]) == {case["id"]: (25.03, 121.56)}
        assert await run_next(system.runtime, PLACEMENTS) == 1  # the file that was under way
        cases = (await system.get("/cases"))["items"]
        assert len(cases) == 2
        [again] = [each for each in cases if each["id"] == case["id"]]
        assert again["balance"]["amount"] == "300000"
        assert {row.kek_id for row in await keys_of(system, "contact")} == {BEFORE, system.runtime.keyring.newest.id}


@pytest.mark.dialect
def test_the_migration_goes_back_until_keys_are_new(of_last_release: CasesSettings) -> None:
    config = migrations.config_of(SERVICE.migrations, of_last_release.database_url_of("cases"))
    command.downgrade(config, BEFORE_KEYS)
    command.upgrade(config, "head")

    async def place() -> None:
        async with running(of_last_release) as system:
            [case] = (await system.get("/cases"))["items"]
            assert (await system.get(f"/cases/{case['id']}/dossier"))["name"] == "王小明"
            assert await run_next(system.runtime, PLACEMENTS) == 1

    asyncio.run(place())
    with pytest.raises(RuntimeError, match="restore a backup"):
        command.downgrade(config, BEFORE_KEYS)


async def test_a_file_and_its_key_go_together(system: System) -> None:
    await system.register(PROFILE)
    await system.push(file_of(row("A-1")))
    [key] = await keys_of(system, "file")
    assert key.subject.startswith(f"lender/{LENDER}/placement/")
    async with system.runtime.database.reading() as tx:
        [sealed] = await tx.session.scalars(sa.select(PlacementChunkRow.sealed))
    assert sealed[0] == 1
    assert "王小明".encode() not in sealed
    await run_next(system.runtime, PLACEMENTS)
    assert await keys_of(system, "file") == []


async def test_a_destroyed_key_erases_one_debtor(system: System) -> None:
    erased, kept = await system.place("A-1", "A-2")
    async with system.runtime.database.transaction() as tx:
        [debtor] = await tx.session.scalars(sa.select(DebtorRow).where(DebtorRow.case_id == UUID(erased)))
        assert debtor.sealed_identity[0] == 1
        assert await tx.vault.destroy(f"debtor/{debtor.id.hex}") == 1
    answer = await system.get(f"/cases/{erased}/dossier", 410)
    assert answer["title"] == "erased"
    assert (await system.get(f"/cases/{kept}/dossier"))["name"] == "王小明"
    assert await positions(system, erased, kept) == {kept: (25.03, 121.56)}


async def test_sealed_bytes_of_one_debtor_do_not_open_in_the_row_of_another(system: System) -> None:
    mine, other = await system.place("A-1", "A-2")
    async with system.runtime.database.transaction() as tx:
        rows = {str(each.case_id): each for each in await tx.session.scalars(sa.select(AddressRow))}
        rows[mine].sealed = rows[other].sealed
    assert (await system.get(f"/cases/{mine}/dossier", 500))["title"] == "internal"
