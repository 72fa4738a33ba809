"""A PostgreSQL for tests and the distributed demo: Debian's packages, a free port, data in a temporary folder."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.dev.processes import Child, ServerMissing, ask, free_port, install, say, temporary_folder

HINT = "PostgreSQL is needed: install Debian's package postgresql, or point DOORSTEP_TEST_POSTGRES_URL to a server"
# Tests that kill nothing need no disk: what a crash would lose, they throw away anyway.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server; `server_url` names its superuser and the database postgres."""

    server_url: str
    child: Child | None = None

    def url_of(self, database: str) -> str:
        """SQLAlchemy URL of a database."""
        base = self.server_url.rpartition("/")[0].replace("postgresql://", "postgresql+asyncpg://", 1)
        return f"{base}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """An empty database, or a copy of another that has no connection open."""
        ask(self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")))

    def drop_database(self, name: str) -> None:
        ask(self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def programs() -> Path:
    """The folder of initdb, postgres, pg_dump and psql."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        install(["postgresql"], "initdb", HINT)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise ServerMissing(HINT)
    return Path(on_path).parent


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Start a server and end it. `durable`: with fsync, for tests that kill it and for measurements."""
    found = programs()
    folder = temporary_folder("postgres")
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", free_port()
    try:
        made = subprocess.run(
            [*as_user, str(found / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"],
            capture_output=True,
            cwd=folder,
            check=False,
        )  # fmt: skip
        if made.returncode:
            raise ServerMissing(f"initdb failed: {made.stderr.decode(errors='replace')[-500:]}")
        options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"]
        command = [
            *as_user,
            str(found / "postgres"),
            "-D",
            str(data),
            *options,
            *([] if durable else FAST),
        ]
        child = Child(command, log=folder / "log", cwd=folder, signal_to_stop=signal.SIGINT)
        server = Postgres(f"postgresql://postgres@127.0.0.1:{port}/postgres", child)
        try:
            child.wait_ready(lambda: _answers(server.server_url), "PostgreSQL")
            say(f"PostgreSQL is up on port {port}")
            yield server
        finally:
            child.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    async def look() -> bool:
        try:
            connection = await asyncpg.connect(url, timeout=2)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    return ask(look())
