"""Everybody who takes part in the demo, as small HTTP clients: they know what the APIs say and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.cli.output import Exit, fail

# followup comes last: its timers act on the new time, and the others must know that time by then.
SERVICES = ("audit", "cases", "visits", "followup")
POLL_SECONDS = 0.02
JOB_SECONDS_MAX = 300
BUSY_STATUSES = (429, 503)
RETRIES_MAX = 20


@dataclass(slots=True)
class Actor:
    """Somebody with a token. `get` and `post` raise on an answer that the demo does not expect."""

    client: httpx.AsyncClient
    token: str
    name: str = ""

    async def ask(self, method: str, path: str, *, expected: tuple[int, ...] = (), **options: Any) -> httpx.Response:
        """Send a request; wait and repeat while the system says that it is busy."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        for _ in range(RETRIES_MAX):
            answer = await self.client.request(method, path, headers=headers, **options)
            if answer.status_code not in BUSY_STATUSES:
                break
            await asyncio.sleep(float(answer.headers.get("Retry-After", "0.2")))
        if answer.is_error and answer.status_code not in expected:
            fail(Exit.WRONG, f"{self.name}: {method} {path} was answered {answer.status_code}: {answer.text[:600]}")
        return answer

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.ask("GET", path, params={k: v for k, v in query.items() if v is not None})).json()

    async def post(
        self, path: str, body: Any, *, key: str | None = None, expected: tuple[int, ...] = ()
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.ask("POST", path, json=body, headers=headers, expected=expected)

    async def every(self, path: str, **query: Any) -> AsyncIterator[Any]:
        """All items of a list, page by page."""
        cursor = None
        while True:
            page = await self.get(path, **query, limit=200, cursor=cursor)
            for item in page["items"]:
                yield item
            cursor = page.get("next_cursor")
            if not cursor:
                return

    async def finished(self, path: str, *, while_status: set[str]) -> Any:
        """Poll a job until it has left these states."""
        for _ in range(int(JOB_SECONDS_MAX / POLL_SECONDS)):
            job = await self.get(path)
            if job["status"] not in while_status:
                return job
            await asyncio.sleep(POLL_SECONDS)
        return fail(Exit.WRONG, f"{path} did not finish within {JOB_SECONDS_MAX} s")


@dataclass(slots=True)
class Team:
    """Two collectors, each with a token of their own."""

    team_id: str
    collectors: list[Actor] = field(default_factory=list)
    collector_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Cast:
    """Who plays. `collector` gives a collector's client by the collector's id."""

    admin: Actor
    supervisor: Actor
    officer: Actor
    lenders: dict[str, Actor]
    collector: Callable[[str], Actor]
    teams: dict[str, Team] = field(default_factory=dict)

    async def quiet(self) -> None:
        """Wait until all that is due has been done: every service quiet, twice, and nothing happened in between."""
        before: list[Any] = []
        for _ in range(int(JOB_SECONDS_MAX / POLL_SECONDS)):
            views = await asyncio.gather(*(self.admin.get(f"/{service}/v1/clock") for service in SERVICES))
            counts = [view["consumed"] for view in views]
            if all(view["quiet"] for view in views):
                if counts == before:
                    return
                before = counts
                continue
            before = []
            await asyncio.sleep(POLL_SECONDS)
        busy = {service: view for service, view in zip(SERVICES, views, strict=True) if not view["quiet"]}
        fail(Exit.WRONG, f"the system did not become quiet: {busy}")

    async def move_clock(self, to: str) -> None:
        """Move the business time of all services. Each refuses while something due is under way; afterwards, what has
        become due is done before anybody goes on."""
        for service in SERVICES:
            while (await self.admin.post(f"/{service}/v1/clock", {"to": to}, expected=(409,))).status_code == 409:
                await asyncio.sleep(POLL_SECONDS)
        await self.quiet()
