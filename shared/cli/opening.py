"""How commands open a service's database, beside a system that runs or without one. A database that is not there, is
damaged, or has another schema ends the command by CannotRun."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from shared import migrations
from shared.data_folder import check_database
from shared.errors import CannotRun
from shared.runtime import Runtime, Service
from shared.settings import Settings


@asynccontextmanager
async def opened(service: Service, settings: Settings) -> AsyncIterator[Runtime]:
    """A service's database, as its settings name it; the bus is not asked."""
    require_database(settings, service.name)
    runtime = Runtime(service, settings)
    try:
        await _check_schema(runtime)
        yield runtime
    except SQLAlchemyError as error:
        error.add_note(migrations.place_of(runtime.database.url))
        raise
    finally:
        await runtime.close()


def require_database(settings: Settings, service: str) -> None:
    """Raises CannotRun where there is no such database, before a command makes keys or a folder for it."""
    if settings.database_url is None:
        path = settings.data_dir / f"{service}.sqlite3"
        if not path.exists():
            raise CannotRun(f"There is no {path.name} in {settings.data_dir}. Name the data folder with --data.")
        check_database(path)


async def _check_schema(runtime: Runtime) -> None:
    service, place = runtime.service, migrations.place_of(runtime.database.url)
    try:
        applied = await migrations.applied_revision(runtime.database)
    except ProgrammingError:
        return  # a role of PostgreSQL that may read the tables, but not which release made them
    if applied is None:
        raise CannotRun(f"{place} holds no tables of {service.name}: run `doorstep migrate {service.name}` on it.")
    if not migrations.is_known(service.migrations, applied):
        raise CannotRun(migrations.newer_words(place))
    if applied != migrations.newest_revision(service.migrations):
        raise CannotRun(f"{place} is of an older release: run `doorstep migrate {service.name}` on it first.")
