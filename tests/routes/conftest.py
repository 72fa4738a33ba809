"""All four services in one process, once for the tests of this folder that walk their routes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.routes.every_route import Door, every_door


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Door]]:
    folder: Path = tmp_path_factory.mktemp("doors")
    async with every_door(folder) as found:
        yield found
