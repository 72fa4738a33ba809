"""`doorstep keys`: master keys change while the system runs, and a rotation that was broken off goes on."""

import asyncio
import base64
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from signal import SIGKILL
from time import monotonic, sleep
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from typer.testing import CliRunner

from services.cases.app import create_app
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from services.cli import keys as command
from services.cli.main import app
from services.embedded import PARTS
from shared import keyring, rotation
from shared.auth import Role
from shared.keyring import MasterKey
from shared.runtime import Runtime
from shared.sealing import Place, Sealer
from shared.vault import BEFORE, Erased
from tests.actors.samples import file_of, row
from tests.cases.conftest import NOON, System
from tests.cli.test_errors import DONE, MISSING, USAGE, WRONG, call
from tests.databases import database, migrated
from tests.one_service import LENDER, client_of

ROTATIONS = 2
PATIENCE_SECONDS = 30


class Running:
    """A cases that runs, with the commands of its operator. `rotate` is what the operator types, once."""

    def __init__(self, system: System, *, embedded: bool) -> None:
        self.system = system
        self.runtime = system.runtime
        self._embedded = embedded

    def rotate(self) -> None:
        if self._embedded:
            command.rotate(None, None, None, True)
        else:
            command.add(None, None, None, True)
            command.rotate("cases", None, None, True)


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CasesSettings:
    given = database(request, SERVICE)
    if not given:
        for part in PARTS.values():
            migrated(part.settings(data_dir=tmp_path), part.service)
    monkeypatch.setenv("DOORSTEP_DATA_DIR", str(tmp_path))
    for name, value in given.items():
        monkeypatch.setenv(f"DOORSTEP_{name.upper()}", value)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(rotation, "PAGE_ROWS", 20)
    return CasesSettings(data_dir=tmp_path, clock=NOON, **given)


@pytest.fixture
async def running(settings: CasesSettings) -> AsyncIterator[Running]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        yield Running(System(runtime, client), embedded=settings.database_url is None)


async def usage(runtime: Runtime) -> dict[tuple[str, str], int]:
    found = await rotation.usage(runtime.database, runtime.vault)
    return {(each.key, each.of_class): each.count for each in found.wrapped}


@pytest.mark.dialect
async def test_keys_rotate_twice_under_load_and_nothing_fails(running: Running) -> None:
    system, done = running.system, asyncio.Event()
    cases = await system.place(*(f"A-{number}" for number in range(60)))
    counts = {"files": 0, "dossiers": 0, "replays": 0}

    async def place() -> None:
        while not done.is_set():
            counts["files"] += 1
            content = file_of(*(row(f"B-{counts['files']}-{number}") for number in range(5)))
            where = await system.take_in(content)
            assert (await system.get(where, role=Role.LENDER))["accepted"] == 5

    async def read() -> None:
        while not done.is_set():
            case = cases[counts["dossiers"] % len(cases)]
            assert (await system.get(f"/cases/{case}/dossier"))["name"] == "王小明"
            counts["dossiers"] += 1

    async def repeat() -> None:
        """A caller who is new each time sends a request twice: its key is made, its reply sealed and opened."""
        while not done.is_set():
            counts["replays"] += 1
            headers = system.bearer(subject=f"s-{counts['replays']}") | {"Idempotency-Key": "k-1"}
            body = {"reference": "A-1", "lender_id": LENDER}
            answers = [
                await system.client.post("/cases/v1/debtor-searches", json=body, headers=headers) for _ in range(2)
            ]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert answers[0].text == answers[1].text

    load = [asyncio.create_task(work()) for work in (place, read, repeat)]
    before = running.runtime.keyring.keys
    for number in range(ROTATIONS):
        await asyncio.to_thread(running.rotate)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while min(counts.values()) < 3 * (number + 1) and not any(task.done() for task in load):
                await asyncio.sleep(0.02)
    done.set()
    await asyncio.gather(*load)
    newest, *old = running.runtime.keyring.keys
    assert tuple(old[ROTATIONS - 1 :]) == before
    assert {key for key, _ in await usage(running.runtime)} == {newest.id}

    ring = running.runtime.keyring.path  # the old keys go: a new process needs the newest only
    ring.write_bytes(base64.b64encode(newest.key))
    later = Runtime(SERVICE, running.runtime.settings)
    async with client_of(create_app(later)) as client:
        again = System(later, client)
        assert (await again.get(f"/cases/{cases[0]}/dossier"))["name"] == "王小明"
        await again.take_in(file_of(row("A-1")))
        found = await again.post("/debtor-searches", {"reference": "A-1", "lender_id": LENDER})
        assert [each["case_id"] for each in found["items"]] == [cases[1]]  # it is known, not opened again


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in PARTS.values():
        migrated(part.settings(data_dir=tmp_path), part.service)
    return tmp_path


def said(*arguments: Any, status: int = DONE) -> Any:
    """The document of a command."""
    done = CliRunner().invoke(app, ["keys", *map(str, arguments), "--json"])
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def with_keys(folder: Path, count: int) -> Runtime:
    """A cases with this many keys as the release before wrapped them."""
    runtime = Runtime(SERVICE, CasesSettings(data_dir=folder))
    before = Sealer(runtime.digest_secret)
    rows = [
        {"subject": f"debtor/{n}", "class": "identity", "wrapped": before.seal(b"k" * 32, "subject-key"),
         "kek_id": BEFORE} for n in range(count)
    ]  # fmt: skip

    async def store() -> None:
        async with runtime.database.transaction() as tx:
            await tx.session.execute(insert(runtime.vault.table), rows)
        await runtime.database.close()

    asyncio.run(store())
    return runtime


PAUSING = """
from services.cli.main import main
from shared import rotation

rotation.PAGE_ROWS, rotation.PAUSE_SECONDS = 20, 600
main()
"""
"""The program, with a long pause after the first page of a rotation."""


def kill_after_a_page(folder: Path) -> None:
    """Rotate as an operator does, and end the process by force once its first page is stored."""
    rotating = subprocess.Popen([sys.executable, "-c", PAUSING, "keys", "rotate", "--data", str(folder)])
    begun = f"SELECT count(*) FROM subject_key WHERE class = 'identity' AND kek_id <> '{BEFORE}'"
    deadline = monotonic() + PATIENCE_SECONDS
    try:
        with closing(sqlite3.connect(folder / "cases.sqlite3")) as database:
            while database.execute(begun).fetchone() == (0,):
                assert rotating.poll() is None, "the rotation ended by itself"
                assert monotonic() < deadline, "no page was stored"
                sleep(0.02)
    finally:
        rotating.kill()
        rotating.wait()
    assert rotating.returncode == -SIGKILL


@pytest.mark.slow  # it starts the program
def test_a_rotation_that_is_killed_goes_on_without_another_key(folder: Path, monkeypatch) -> None:
    runtime = with_keys(folder, 50)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.0)
    kill_after_a_page(folder)
    status = said("status", "--data", folder)
    new, old = status["keys"]
    [cases, *_] = status["services"]
    assert status["rotation_under_way"]
    assert (status["wrapped_by_an_earlier_release"], new["newest"], old["may_go"]) == (30, True, True)
    assert {(each["key"], each["class"]): each["count"] for each in cases["wrapped"]} == {
        (BEFORE, "identity"): 30,
        (new["id"], "identity"): 20,
    } | {(new["id"], "check"): 1}
    done = said("rotate", "--data", folder)
    assert (done["key"], done["added"], done["services"][0]) == (
        new["id"], False, {"service": "cases", "rewrapped": 30},
    )  # fmt: skip
    status = said("status", "--data", folder)
    assert not status["rotation_under_way"]
    assert [key["wraps"] for key in status["keys"]] == [54, 0]  # and one check of each service
    again = said("rotate", "--data", folder)
    assert again["added"]
    assert again["key"] != new["id"]
    assert [each["rewrapped"] for each in again["services"]] == [51, 1, 1, 1]

    async def opened() -> bytes:
        later = Runtime(SERVICE, runtime.settings)
        async with later.database.reading() as tx:
            place = Place("debtor", "sealed_identity", (7,), before="debtor-identity")
            found = await tx.vault.open("debtor/7", "identity", place, Sealer(b"k" * 32).seal(b"x", "debtor-identity"))
        await later.database.close()
        return found

    assert asyncio.run(opened()) == b"x"


def test_two_operators_who_rotate_at_once_leave_no_key_behind(folder: Path, monkeypatch) -> None:
    with_keys(folder, 50)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(rotation, "PAGE_ROWS", 5)
    with ThreadPoolExecutor(2) as operators:
        list(operators.map(lambda _: command.rotate(None, folder, None, True), range(2)))
    status = said("status", "--data", folder)
    newest, *old = status["keys"]
    assert (newest["wraps"], [each["wraps"] for each in old if each["wraps"]]) == (54, [])
    assert (status["rotation_under_way"], status["wrapped_by_an_earlier_release"]) == (False, 0)


def test_status_names_lines_and_missing_keys(folder: Path) -> None:
    runtime = with_keys(folder, 3)
    assert said("add", "--data", folder)["added"]
    ring = runtime.keyring
    status = said("status", "cases", "--data", folder)
    lines = ring.path.read_text().splitlines()
    for key, known in zip(status["keys"], ring.keys, strict=True):
        assert lines[key["line"] - 1] == base64.b64encode(known.key).decode()
        assert key["id"] == known.id
        assert known.key.hex() not in json.dumps(status)
    (folder / "new").write_text(base64.b64encode(b"n" * 32).decode())
    assert said("add", "--key", folder / "new", "--data", folder) == {"key": MasterKey(b"n" * 32).id, "added": True}
    assert said("add", "--key", folder / "new", "--data", folder) == {"key": MasterKey(b"n" * 32).id, "added": False}
    assert said("rotate", "cases", "--data", folder)["services"] == [{"service": "cases", "rewrapped": 3}]
    ring.path.write_text(base64.b64encode(b"m" * 32).decode())
    status = said("status", "cases", "--data", folder, status=WRONG)
    assert status["missing"] == [MasterKey(b"n" * 32).id]
    words = call("keys", "rotate", "cases", "--data", folder, status=MISSING)
    assert f"lacks the master key {MasterKey(b'n' * 32).id}" in words


def test_status_counts_what_was_destroyed(folder: Path) -> None:
    runtime = with_keys(folder, 3)

    async def destroy() -> None:
        async with runtime.database.transaction() as tx:
            await tx.vault.destroy("debtor/1")
            with pytest.raises(Erased):
                await tx.vault.open("debtor/1", "identity", Place("t", "c", ()), b"")
        async with runtime.database.reading() as tx:
            assert await tx.session.scalar(select(func.count()).select_from(runtime.vault.table)) == 3
        await runtime.database.close()

    asyncio.run(destroy())
    [cases] = said("status", "cases", "--data", folder)["services"]
    assert (cases["destroyed"], sum(each["count"] for each in cases["wrapped"])) == (1, 2)


def test_wrong_use_is_said_and_makes_no_key(tmp_path: Path, folder: Path, monkeypatch) -> None:
    for words in (["status"], ["add"], ["rotate"], ["rotate", "cases"]):
        assert "There is no" in call("keys", *words, "--data", tmp_path / "nowhere", status=MISSING)
        assert "Name the data folder" in call("keys", *words, "--data", folder, status=MISSING)
    assert not (folder / "keys").exists()
    runtime = with_keys(folder, 1)
    content = runtime.keyring.path.read_bytes()
    url = "postgresql+asyncpg://doorstep@127.0.0.1:1/none"
    said_ = call("keys", "rotate", "--data", folder, status=USAGE, DOORSTEP_DATABASE_URL=url)
    assert "rotate SERVICE` with the settings of each service" in said_
    (folder / "secret").write_text("secret")
    assert "in base64" in call("keys", "add", "--key", folder / "secret", "--data", folder, status=USAGE)
    (folder / "visits.sqlite3").unlink()
    assert "no visits.sqlite3" in call("keys", "rotate", "--data", folder, status=MISSING)
    assert runtime.keyring.path.read_bytes() == content
    assert not keyring.is_under_way(runtime.keyring)
