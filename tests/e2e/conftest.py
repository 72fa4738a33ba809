"""One house for all tests that only need a house."""

from collections.abc import Iterator

import pytest

from tests.house import MONDAY, House, at, running_house


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An embedded system, as a process of its own, on the Monday of the tests at seven in the morning."""
    with running_house(tmp_path_factory.mktemp("house"), at(MONDAY, 7)) as running:
        yield running
