"""Real servers for tests: started when the first test asks for one, ended after the last.

DOORSTEP_TEST_POSTGRES_URL and DOORSTEP_TEST_KAFKA point to servers that run already. In CI a server that cannot be had
is a failure; elsewhere the tests that need it are skipped, and say so.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.dev.kafka import kafka
from deploy.dev.postgres import Postgres, postgres
from deploy.dev.processes import ServerMissing

SERVERS = {"postgres_server", "kafka_bootstrap", "fresh_database"}
SERVERS_USED = pytest.StashKey[set[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a server, by a fixture or as one of its variants, is marked so."""
    for item in items:
        variant = getattr(item, "callspec", None)
        variants = {value for value in variant.params.values() if isinstance(value, str)} if variant else set()
        if SERVERS & set(getattr(item, "fixturenames", ())) or variants & {"postgresql", "kafka"}:
            item.add_marker(pytest.mark.servers)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells the process that prints the summary which servers it used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["servers"] = sorted(session.config.stash.get(SERVERS_USED, set()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    told = getattr(node, "workeroutput", {}).get("servers", [])
    node.config.stash.setdefault(SERVERS_USED, set()).update(told)


def missing(error: ServerMissing) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs the real server: {error}")
    pytest.skip(str(error))


def used(request: pytest.FixtureRequest, server: str) -> None:
    request.config.stash.setdefault(SERVERS_USED, set()).add(server)


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A PostgreSQL."""
    used(request, "a real PostgreSQL")
    url = os.environ.get("DOORSTEP_TEST_POSTGRES_URL")
    if url:
        yield Postgres(url)
        return
    try:
        with postgres() as server:
            yield server
    except ServerMissing as error:
        missing(error)


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an Apache Kafka."""
    used(request, "a real Kafka")
    bootstrap = os.environ.get("DOORSTEP_TEST_KAFKA")
    if bootstrap:
        yield bootstrap
        return
    try:
        with kafka() as cluster:
            yield cluster.bootstrap
    except ServerMissing as error:
        missing(error)
