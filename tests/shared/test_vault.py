"""The vault: what is sealed for a subject opens for it, at its place, until its key is destroyed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import insert, select

from shared import keyring, vault
from shared.auth import Role
from shared.errors import CannotRun
from shared.runtime import Runtime
from shared.sealing import Place, Sealer, SubjectKey
from shared.settings import Settings, SettingsRefused
from shared.vault import BEFORE, Erased, Item
from shared.web.problems import problem_of
from tests.databases import database
from tests.shared.conftest import SERVICE, TABLES, System, create_tables

DEBTOR, OTHER = "debtor/1", "debtor/2"
PLACE = Place("debtor", "sealed_identity", (1,))
SECRET = "王小明".encode()
KEYS = TABLES.subject_key
OTHERS: list[Runtime] = []

pytestmark = pytest.mark.dialect


@pytest.fixture
async def runtime(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> AsyncIterator[Runtime]:
    made = Runtime(SERVICE, Settings(data_dir=tmp_path, **database(request)))
    await create_tables(made.database.engine)
    yield made
    for each in [made, *OTHERS]:
        await each.database.close()
    OTHERS.clear()


def another(runtime: Runtime) -> Runtime:
    """Another process on the same data."""
    OTHERS.append(Runtime(SERVICE, runtime.settings))
    return OTHERS[-1]


async def seal(runtime: Runtime, subject: str = DEBTOR, of_class: str = "identity", place: Place = PLACE) -> bytes:
    async with runtime.database.transaction() as tx:
        return await tx.vault.seal(subject, of_class, place, SECRET)


async def opened(runtime: Runtime, sealed: bytes, subject: str = DEBTOR, of_class: str = "identity") -> bytes:
    async with runtime.database.reading() as tx:
        return await tx.vault.open(subject, of_class, PLACE, sealed)


async def rows(runtime: Runtime) -> list:
    async with runtime.database.reading() as tx:
        found = await tx.session.execute(select(KEYS).order_by(KEYS.c.subject, KEYS.c["class"]))
        return list(found)


async def test_what_is_sealed_opens_for_its_subject_class_and_place_only(runtime: Runtime) -> None:
    sealed = await seal(runtime)
    assert await opened(runtime, sealed) == await opened(another(runtime), sealed) == SECRET
    assert SECRET not in sealed
    [row] = await rows(runtime)
    assert (row.subject, row[1], row.kek_id) == (DEBTOR, "identity", runtime.keyring.newest.id)
    key = SubjectKey(runtime.vault.unwrapped(row[:4]))
    assert key.has_sealed(sealed)
    assert sealed[0] == 1
    await seal(runtime, OTHER)
    await seal(runtime, DEBTOR, "visit")
    for strange in ((sealed, OTHER), (sealed, DEBTOR, "visit"), (sealed, "debtor/none"), (sealed[:-1] + b"x",)):
        with pytest.raises(InvalidTag):
            await opened(runtime, *strange)
    for elsewhere in (Place("debtor", "sealed_identity", (2,)), Place("debtor", "note", (1,))):
        with pytest.raises(InvalidTag):
            key.open(elsewhere, sealed)
    assert key.open(Place("debtor", "sealed_identity", ("1",)), sealed) == SECRET


async def test_many_are_sealed_by_one_statement_and_opened_in_order(runtime: Runtime) -> None:
    places = [Place("debtor", "sealed_identity", (number,)) for number in range(1200)]
    async with runtime.database.transaction() as tx:
        new = [Item(f"debtor/{n % 1000}", place, str(n).encode()) for n, place in enumerate(places)]
        sealed = await tx.vault.seal_all("identity", new, new=True)
    assert len(await rows(runtime)) == 1000
    process = another(runtime)
    async with process.database.reading() as tx:
        again = [Item(item.subject, item.place, each) for item, each in zip(new, sealed, strict=True)]
        found = await tx.vault.open_all("identity", again)
    assert found == [str(n).encode() for n in range(1200)]
    async with process.database.transaction() as tx:  # some are known, some are new
        more = [Item(f"debtor/{n}", PLACE, b"") for n in range(990, 1010)]
        assert len(await tx.vault.seal_all("identity", more)) == 20
    assert len(await rows(runtime)) == 1010


async def test_two_at_once_agree_on_one_key(runtime: Runtime) -> None:
    processes = [another(runtime) for _ in range(4)]
    sealed = await asyncio.gather(*(seal(each) for each in processes))
    assert len(await rows(runtime)) == 1
    assert [await opened(runtime, each) for each in sealed] == [SECRET] * 4


async def test_a_key_of_a_transaction_that_failed_is_never_used(runtime: Runtime) -> None:
    failing = runtime.database.transaction()
    tx = await failing.__aenter__()
    await tx.vault.seal(DEBTOR, "identity", PLACE, SECRET)
    assert not await failing.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert await rows(runtime) == []
    assert await opened(another(runtime), await seal(runtime)) == SECRET


async def test_a_destroyed_key_erases_and_seals_no_more(runtime: Runtime) -> None:
    sealed, below = await seal(runtime), await seal(runtime, f"{DEBTOR}/visit/7", "visit")
    kept = await seal(runtime, "debtor/10")
    async with runtime.database.transaction() as tx:
        assert await tx.vault.destroy(DEBTOR) == 2
        assert await tx.vault.destroy(DEBTOR) == 0
        with pytest.raises(Erased):
            await tx.vault.seal(DEBTOR, "identity", PLACE, SECRET)
    for process in (runtime, another(runtime)):
        for bytes_, subject, of_class in ((sealed, DEBTOR, "identity"), (below, f"{DEBTOR}/visit/7", "visit")):
            with pytest.raises(Erased):
                await opened(process, bytes_, subject, of_class)
        assert await opened(process, kept, "debtor/10") == SECRET
        async with process.database.reading() as tx:
            both = [Item(DEBTOR, PLACE, sealed), Item("debtor/10", PLACE, kept)]
            assert await tx.vault.open_all("identity", both) == [None, SECRET]
    gone = [row for row in await rows(runtime) if row.destroyed_at is not None]
    assert [(row.subject, row.wrapped, row.kek_id) for row in gone] == [
        (DEBTOR, None, None),
        (f"{DEBTOR}/visit/7", None, None),
    ]


async def test_a_process_forgets_what_another_destroyed_after_a_while(runtime: Runtime, monkeypatch) -> None:
    sealed, process = await seal(runtime), another(runtime)
    assert await opened(process, sealed) == SECRET
    async with runtime.database.transaction() as tx:
        await tx.vault.destroy(DEBTOR)
    monkeypatch.setattr(vault, "CACHED_SECONDS_MAX", -1.0)
    with pytest.raises(Erased):
        await opened(process, sealed)


async def test_forgotten_keys_leave_no_row_and_the_cache_has_a_bound(runtime: Runtime, monkeypatch) -> None:
    monkeypatch.setattr(vault, "KEYS_CACHED_MAX", 3)
    sealed = [await seal(runtime, f"placement/{n}") for n in range(5)]
    for n, each in enumerate(sealed):
        assert await opened(runtime, each, f"placement/{n}") == SECRET
    assert [runtime.vault.cached((f"placement/{n}", "identity")) is None for n in range(5)] == [True] * 2 + [False] * 3
    async with runtime.database.transaction() as tx:
        await tx.vault.forget("placement/4")
    assert [row.subject for row in await rows(runtime)] == [f"placement/{n}" for n in range(4)]
    with pytest.raises(InvalidTag):
        await opened(runtime, sealed[4], "placement/4")


async def test_what_an_earlier_release_sealed_opens_and_is_sealed_again_in_the_new_form(runtime: Runtime) -> None:
    master, key = Sealer(runtime.digest_secret), b"k" * 32
    row = {"subject": DEBTOR, "class": "identity", "wrapped": master.seal(key, "subject-key"), "kek_id": BEFORE}
    by_key, by_master = Sealer(key).seal(SECRET, "debtor-identity"), master.seal(SECRET, "placement/7/0")
    async with runtime.database.transaction() as tx:
        await tx.session.execute(insert(KEYS), [row])
    before = Place("debtor", "sealed_identity", (1,), before="debtor-identity")
    chunk = Place("placement_chunk", "sealed", (7, 0), before="placement/7/0", by_master=True)
    async with runtime.database.transaction() as tx:
        assert await tx.vault.open(DEBTOR, "identity", before, by_key) == SECRET
        assert await tx.vault.open("placement/7", "file", chunk, by_master) == SECRET
        for place, sealed in ((PLACE, by_key), (before, by_master), (chunk, by_key)):
            with pytest.raises(InvalidTag):
                await tx.vault.open(DEBTOR, "identity", place, sealed)
        again = await tx.vault.seal(DEBTOR, "identity", before, SECRET)
        assert again[0] == 1
        assert await tx.vault.open(DEBTOR, "identity", before, again) == SECRET


async def test_data_start_with_their_own_secret_and_master_keys_only(runtime: Runtime, tmp_path: Path) -> None:
    for process in (runtime, another(runtime)):
        await process.vault.begin(process.database)
    assert [row.subject for row in await rows(runtime)] == ["digest-secret"]
    digest, ring = tmp_path / "keys/digest.key", runtime.keyring
    kept, old = digest.read_bytes(), ring.path.read_bytes()
    digest.write_text("eHh4" * 10 + "eHg=\n")
    with pytest.raises(SettingsRefused, match="digest secret is not the one"):
        await another(runtime).vault.begin(runtime.database)
    digest.write_bytes(kept)
    ring.path.write_text("eHh4" * 10 + "eHg=\n")
    with pytest.raises(CannotRun, match="lacks the master key"):
        await another(runtime).vault.begin(runtime.database)
    ring.path.write_bytes(old)
    with keyring.changing(ring):
        keyring.add(ring, b"n" * 32)
    await another(runtime).vault.begin(runtime.database)


async def test_data_of_an_earlier_release_start_with_its_master_key_only(runtime: Runtime) -> None:
    wrapped = Sealer(b"o" * 32).seal(b"k" * 32, "subject-key")
    async with runtime.database.transaction() as tx:
        row = {"subject": DEBTOR, "class": "identity", "wrapped": wrapped, "kek_id": BEFORE}
        await tx.session.execute(insert(KEYS), [row])
    with pytest.raises(SettingsRefused, match="a copy of the master key"):
        await runtime.vault.begin(runtime.database)


async def test_replies_are_sealed_for_their_caller_without_its_name(system: System) -> None:
    for _ in range(2):
        who = system.caller(Role.SUPERVISOR, subject="ann@example.com")
        answer = await who.post("/cases/v1/notes", {"text": "once"}, **{"Idempotency-Key": "k-1"})
        assert answer.status_code == 201
    assert answer.headers["Idempotent-Replayed"] == "true"
    [row] = [row for row in await rows(system.runtime) if row[1] == "reply"]
    assert row.subject.startswith("caller/")
    assert "ann" not in row.subject
    async with system.runtime.database.reading() as tx:
        reply = (await tx.session.scalars(select(TABLES.idempotency.c.reply))).one()
    assert reply[0] == 1
    assert b"once" not in reply


async def test_a_reply_of_an_earlier_release_is_replayed(system: System) -> None:
    who, key = system.caller(Role.SUPERVISOR, subject="s-1"), {"Idempotency-Key": "k-1"}
    await who.post("/cases/v1/notes", {"text": "once"}, **key)
    where, table = "reply/s-1//POST /cases/v1/notes/k-1", TABLES.idempotency
    reply = json.dumps([{"content-type": "application/json"}, '{"old": true}']).encode()
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(table.update().values(reply=Sealer(system.runtime.digest_secret).seal(reply, where)))
    answer = await who.post("/cases/v1/notes", {"text": "once"}, **key)
    assert answer.json() == {"old": True}


def test_erased_is_a_410() -> None:
    answer = problem_of(Erased())
    assert (answer.status_code, json.loads(answer.body)["title"]) == (410, "erased")
