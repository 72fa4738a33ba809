"""cases as it runs: its app over HTTP, its intake, and its handlers fed with the events of the other services."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.cases.app import create_app
from services.cases.placements.jobs import take_next_placement
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared.auth import Role
from shared.runtime import Runtime
from tests.databases import database, migrated
from tests.house import PROFILE, file_of, row
from tests.one_service import LENDER, OneService, client_of

NEW_YORK = {"lat": "40.71", "lon": "-74.01"}
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a Monday, in Taipei


class System(OneService):
    """A cases with a simulated clock: it is noon on Monday, in Taipei."""

    async def place(self, *accounts: str, **profile: Any) -> list[str]:
        """A lender's file is taken in. Returns the ids of its cases, in the order of their accounts."""
        await self.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
        path = f"/cases/v1/lenders/{LENDER}/profile"
        await self.client.put(path, json=PROFILE | profile, headers=self.bearer(Role.ADMIN))
        headers = self.bearer(Role.LENDER) | {"Content-Type": "text/csv"}
        where = NEW_YORK if profile.get("country") == "US" else {}
        content = file_of(*(row(account, **where) for account in accounts))
        answer = await self.client.post("/cases/v1/placements", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        assert await take_next_placement(self.runtime) == 1
        items = (await self.get("/cases"))["items"]
        return [case["id"] for case in sorted(items, key=lambda case: case["accounts"][0]["account_ref"])]


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> CasesSettings:
    return migrated(CasesSettings(data_dir=tmp_path, clock=NOON, **database(request, SERVICE)), SERVICE)


@pytest.fixture
async def system(settings: CasesSettings) -> AsyncIterator[System]:
    runtime = Runtime(SERVICE, settings)
    async with client_of(create_app(runtime)) as client:
        yield System(runtime, client)
