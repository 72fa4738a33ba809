"""One house for all tests that only need a house, and a browser for pages."""

import shutil
from collections.abc import Iterator

import pytest

from deploy.dev.processes import ServerMissing, install
from tests.actors.samples import MONDAY, at
from tests.house import House, running_house
from tests.servers import missing

HINT = "Chromium is not there: install Debian's packages chromium and fonts-noto-cjk"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An embedded system, as a process of its own, on the Monday of the tests at seven in the morning."""
    with running_house(tmp_path_factory.mktemp("house"), at(MONDAY, 7)) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real browser."""
    try:
        install(["chromium", "fonts-noto-cjk"], "chromium", HINT)
    except ServerMissing as error:
        missing(error)
    return shutil.which("chromium") or ""
