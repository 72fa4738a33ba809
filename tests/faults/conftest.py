"""Servers that tests of faults may kill, started once."""

import pytest

from deploy.dev.processes import ServerMissing
from tests.faults import scenarios
from tests.servers import missing, used


@pytest.fixture(scope="session")
def own_servers(request):
    """A Kafka and a PostgreSQL that tests may kill."""
    used(request, "a real Kafka and PostgreSQL to kill")
    try:
        with scenarios.servers() as running:
            yield running
    except ServerMissing as error:
        missing(error)
