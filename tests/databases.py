"""Databases for tests: the tables of each service are made once in a process and copied for each test."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from sqlalchemy import make_url

from deploy.dev.postgres import Postgres
from shared import migrations
from shared.ids import new_id
from shared.runtime import Service
from shared.settings import Settings

Kind = TypeVar("Kind", bound=Settings)
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.servers))


class NewDatabase(Protocol):
    """Gives the SQLAlchemy URL of a new PostgreSQL database: an empty one, or one with the tables of a service."""

    def __call__(self, service: Service | None = None) -> str: ...


def migrated(settings: Kind, service: Service) -> Kind:
    """These settings, once the service's tables are in their database. `NewDatabase` has made those of PostgreSQL."""
    url = make_url(settings.database_url_of(service.name))
    if url.drivername.startswith("sqlite"):
        file = Path(str(url.database))
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            shutil.copyfile(_migrated_file(service.name, service.migrations), file)
    return settings


def database(request: pytest.FixtureRequest, service: Service | None = None) -> dict[str, str]:
    """The setting that names a new database of the kind that this test runs on: none for SQLite in the data folder."""
    if request.getfixturevalue("database_kind") == "sqlite":
        return {}
    return {"database_url": request.getfixturevalue("fresh_database")(service)}


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """SQLite, or each of DATABASES for a test that is marked `dialect`."""
    return str(getattr(request, "param", "sqlite"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker("dialect"):
        metafunc.parametrize("database_kind", DATABASES, indirect=True)


@cache
def _migrated_file(name: str, history: Path) -> Path:
    file = _folder() / f"{name}.sqlite3"
    migrations.upgrade(history, f"sqlite+aiosqlite:///{file}")
    return file


@cache
def _folder() -> Path:
    return Path(_kept().name)


@cache
def _kept() -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="doorstep-templates-")


@pytest.fixture(scope="session")
def templates(postgres_server: Postgres) -> Callable[[Service], str]:
    """The name of the database that is copied for a service; made when it is first asked for."""

    @cache
    def made(name: str, history: Path) -> str:
        template = f"template_{name}_{new_id().hex}"
        postgres_server.create_database(template)
        migrations.upgrade(history, postgres_server.url_of(template))
        return template

    return lambda service: made(service.name, service.migrations)


@pytest.fixture
def fresh_database(postgres_server: Postgres, templates: Callable[[Service], str]) -> Iterator[NewDatabase]:
    """Gives a new database each time it is called; they are dropped afterwards."""
    names = []

    def create(service: Service | None = None) -> str:
        name = f"test_{new_id().hex}"
        postgres_server.create_database(name, template=templates(service) if service else None)
        names.append(name)
        return postgres_server.url_of(name)

    yield create
    for name in names:
        postgres_server.drop_database(name)
