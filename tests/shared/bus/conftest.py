"""The service that these tests are made with, on both databases."""

import pytest

from shared.runtime import Runtime, Service
from shared.settings import Settings
from tests.shared.bus.own_events import METADATA, TABLES


@pytest.fixture(params=["sqlite", "postgresql"])
async def runtime(request, tmp_path):
    """A service with an outbox and a consumer of its own events."""
    url = request.getfixturevalue("fresh_database")() if request.param == "postgresql" else None
    running = Runtime(Service("cases", TABLES, tmp_path), Settings(data_dir=tmp_path, database_url=url))
    async with running.database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await running.start()
    yield running
    await running.close()
