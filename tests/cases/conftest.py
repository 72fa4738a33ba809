"""cases as it runs: its app over HTTP, its intake, and its handlers fed with the events of the other services."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cases.app import create_app
from services.cases.placements.jobs import PLACEMENTS
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from services.cli.demo import acts
from shared.auth import Role
from shared.job_runner import run_next
from shared.runtime import Runtime
from tests.actors.samples import PROFILE, file_of, row
from tests.databases import database, migrated
from tests.one_service import LENDER, OneService, client_of

NEW_YORK = {"lat": "40.71", "lon": "-74.01"}
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a Monday, in Taipei


class System(OneService):
    """A cases with a simulated clock: it is noon on Monday, in Taipei."""

    async def register(self, profile: dict[str, Any], agency: dict[str, Any] | None = None) -> None:
        """Register LENDER with this profile of its files."""
        await self.actor(Role.ADMIN).does(acts.register_lender(LENDER, profile, agency))

    async def push(self, content: bytes, media_type: str = "text/csv", **query: Any) -> httpx.Response:
        """LENDER sends a file, which waits to be taken in. Returns the answer."""
        return await self.actor(Role.LENDER).does(acts.push_file(content, media_type, **query))

    async def take_in(self, content: bytes, media_type: str = "text/csv", **query: Any) -> str:
        """LENDER's file is taken in. Returns the path of its placement below the service's."""
        sent = await self.push(content, media_type, **query)
        assert await run_next(self.runtime, PLACEMENTS) == 1
        return str(sent.headers["Location"]).removeprefix("/cases/v1")

    async def place(self, *accounts: str, **profile: Any) -> list[str]:
        """A lender's file is taken in. Returns the ids of its cases, in the order of their accounts."""
        await self.register(PROFILE | profile)
        where = NEW_YORK if profile.get("country") == "US" else {}
        await self.take_in(file_of(*(row(account, **where) for account in accounts)))
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
