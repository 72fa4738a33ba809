"""Most tests here ask what a route does, not what a database does: they run on SQLite."""

from pathlib import Path

import pytest

from services.visits.settings import VisitsSettings
from services.visits.worker import SERVICE
from tests.databases import database, migrated
from tests.visits.conftest import MONDAY, taipei


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> VisitsSettings:
    """SQLite, unless a test names its databases: `@pytest.mark.parametrize("settings", DATABASES, indirect=True)`."""
    named = database(request, SERVICE) if hasattr(request, "param") else {}
    return migrated(VisitsSettings(data_dir=tmp_path, clock=taipei(MONDAY, 10), **named), SERVICE)
