"""Migrations: Alembic, one history a service, the same on SQLite and PostgreSQL.

Each service's migrations/env.py calls `run_in_env` and nothing else.
"""

import asyncio
import threading
from pathlib import Path
from typing import Literal

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.sql.sqltypes import AutoString

from shared.database import Database, UtcTime
from shared.errors import CannotRun

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "300s"

# What Alembic knows of a migration under way belongs to the process: two at once in it would wait for ever.
_one_at_a_time = threading.Lock()


def config_of(migrations: Path, url: str) -> Config:
    """Alembic's configuration, without any file of its own."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(migrations: Path, url: str) -> None:
    """Bring a database to the newest schema, one at a time in a process. Creates the folder of a SQLite file. Raises
    CannotRun for a database of a newer release."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite") and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time:
        try:
            command.upgrade(config_of(migrations, url), "head")
        except CommandError as error:
            if isinstance(error.__cause__, ResolutionError):
                raise CannotRun(newer_words(place_of(url))) from error
            raise
        except SQLAlchemyError as error:
            error.add_note(place_of(url))
            raise


def place_of(url: str) -> str:
    """The file of a SQLite database, the host and name of another: what a message may say of an address."""
    parsed = make_url(url)
    return str(parsed.database if parsed.host is None else f"{parsed.host}/{parsed.database}")


def newer_words(place: str) -> str:
    return f"{place} was made by a newer release of Doorstep: install that release, or restore a backup of this one's."


def is_known(migrations: Path, revision: str) -> bool:
    """Whether a revision is one of this release."""
    return revision in {each.revision for each in ScriptDirectory(str(migrations)).walk_revisions()}


def check(migrations: Path, url: str) -> None:
    """Raises if the tables in code differ from what the migrations make."""
    command.check(config_of(migrations, url))


def newest_revision(migrations: Path) -> str | None:
    return ScriptDirectory(str(migrations)).get_current_head()


async def applied_revision(database: Database) -> str | None:
    """The revision that a database is at."""

    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


def run_in_env(metadata: MetaData) -> None:
    """What a service's env.py does: migrate online, with time-outs, in one transaction."""
    url = context.config.get_main_option("sqlalchemy.url") or ""
    asyncio.run(_migrate(url, metadata))


async def _migrate(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run, metadata)
            await connection.commit()
    finally:
        await engine.dispose()


def _run(connection: Connection, metadata: MetaData) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.exec_driver_sql(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    context.configure(connection=connection, target_metadata=metadata, render_item=_plain_types)
    with context.begin_transaction():
        context.run_migrations()


def _plain_types(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Migrations name the database's own types, not ours: they must stay true when our code changes."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


def draft(migrations: Path, url: str, message: str) -> None:
    """Write a new migration from the difference between the tables in code and a database. Read it before use."""
    config = config_of(migrations, url)
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    number = len(list((migrations / "versions").glob("*.py"))) + 1
    command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
