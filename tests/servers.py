"""Real servers for tests: started when the first test asks for one, ended after the last.

DOORSTEP_TEST_POSTGRES_URL and DOORSTEP_TEST_KAFKA point to servers that run already. In CI a server that cannot be had
is a failure; elsewhere the tests that need it are skipped, and say so.
"""

import os
from collections.abc import Callable, Iterator

import pytest

from deploy.dev.kafka import kafka
from deploy.dev.postgres import Postgres, postgres
from deploy.dev.processes import ServerMissing
from shared.ids import new_id

SERVERS = {"postgres_server", "kafka_bootstrap", "fresh_database"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a server is marked so."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


def _missing(error: ServerMissing) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs the real server: {error}")
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL."""
    url = os.environ.get("DOORSTEP_TEST_POSTGRES_URL")
    if url:
        yield Postgres(url)
        return
    try:
        with postgres() as server:
            yield server
    except ServerMissing as error:
        _missing(error)


@pytest.fixture
def fresh_database(postgres_server: Postgres) -> Iterator[Callable[[], str]]:
    """Gives a new, empty database each time it is called, as an SQLAlchemy URL; they are dropped afterwards."""
    made = []

    def create() -> str:
        name = f"test_{new_id().hex}"
        postgres_server.create_database(name)
        made.append(name)
        return postgres_server.url_of(name)

    yield create
    for name in made:
        postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """The address of an Apache Kafka."""
    bootstrap = os.environ.get("DOORSTEP_TEST_KAFKA")
    if bootstrap:
        yield bootstrap
        return
    try:
        with kafka() as cluster:
            yield cluster.bootstrap
    except ServerMissing as error:
        _missing(error)
