"""PostgreSQL refuses what SQLite stores (NUL, 33 bits in an integer column): no odd value reaches it either."""

from pathlib import Path

import pytest

from shared.runtime import Service
from shared.settings import Settings
from tests.databases import NewDatabase
from tests.routes import every_route, test_odd_values

CHECKS = (
    test_odd_values.test_no_parameter_ends_in_a_500,
    test_odd_values.test_no_path_ends_in_a_500,
    test_odd_values.test_no_field_ends_in_a_500,
    test_odd_values.test_no_header_ends_in_a_500,
)


@pytest.mark.slow
async def test_no_odd_value_ends_in_a_500_on_postgresql(
    fresh_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_postgresql(settings: Settings, service: Service) -> Settings:
        return settings.model_copy(update={"database_url": fresh_database(service)})

    monkeypatch.setattr(every_route, "migrated", on_postgresql)
    async with every_route.every_door(tmp_path) as doors:
        for check in CHECKS:
            await check(doors)
