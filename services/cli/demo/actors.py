"""The people of the demo, each a client with a token that plays acts (acts.py)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.cli.demo import acts
from services.cli.demo.acts import Act, Ask, Result, Unexpected

BUSY_STATUSES = (429, 503)
RETRIES_MAX = 20


@dataclass(slots=True)
class Actor:
    """A person with a token. `does` plays an act; it raises Unexpected on an answer that the act does not deal with."""

    client: httpx.AsyncClient
    token: str
    name: str = ""

    async def does(self, act: Act[Result]) -> Result:
        answer: httpx.Response | None = None
        while True:
            try:
                step = act.send(answer)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(step, Ask):
                answer = await self._answer(step)
            else:
                await asyncio.sleep(step)

    async def _answer(self, ask: Ask) -> httpx.Response:
        """Send a request; wait and repeat while the system says that it is busy."""
        options = {
            **ask.options,
            "headers": {"Authorization": f"Bearer {self.token}", **ask.options.get("headers", {})},
        }
        for _ in range(RETRIES_MAX):
            answer = await self.client.request(ask.method, ask.path, **options)
            if answer.status_code not in BUSY_STATUSES:
                break
            await asyncio.sleep(float(answer.headers.get("Retry-After", "0.2")))
        if answer.is_error and answer.status_code not in ask.allowed:
            said = f"was answered {answer.status_code}: {answer.text[:600]}"
            raise Unexpected(f"{self.name}: {ask.method} {ask.path} {said}")
        return answer

    async def get(self, path: str, **query: Any) -> Any:
        return await self.does(acts.get(path, **query))

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.does(acts.post(path, body, **options))

    async def every(self, path: str, **query: Any) -> list[Any]:
        return await self.does(acts.every(path, **query))


@dataclass(slots=True)
class Team:
    """Two collectors, each with a token of their own."""

    collectors: list[Actor]
    collector_ids: list[str]


@dataclass(slots=True)
class Cast:
    """Who plays. `collector` gives a collector's client by the collector's id."""

    operator: Actor
    supervisor: Actor
    officer: Actor
    lenders: dict[str, Actor]
    collector: Callable[[str], Actor]
    teams: dict[str, Team] = field(default_factory=dict)

    async def quiet(self) -> None:
        await self.operator.does(acts.quiet())

    async def move_clock(self, to: str) -> None:
        await self.operator.does(acts.move_clock(to))
