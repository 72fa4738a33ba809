"""Every route of the four services: it knows its caller before it reads the body, and has the body before it writes."""

import asyncio
import re

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from services.cli.processes import development_token
from services.embedded import PARTS
from shared.auth import Role, allow, rules_of
from shared.events.envelope import ActorRef
from shared.ids import new_id
from shared.runtime import Runtime
from shared.settings import Settings
from shared.web import RouteWithoutDoor, create_app
from shared.web.requests import METHODS_WITH_BODY


@pytest.fixture(scope="module")
def services(tmp_path_factory) -> dict[str, tuple[Runtime, FastAPI]]:
    """The apps of all services, without tables: no request of these tests comes as far."""
    folder = tmp_path_factory.mktemp("doors")
    found = {}
    for name, part in PARTS.items():
        runtime = Runtime(part.service, part.settings(data_dir=folder))
        found[name] = runtime, part.create_app(runtime)
    return found


def routes_with_a_body(app: FastAPI) -> list[tuple[str, str, frozenset[Role]]]:
    """Method, path with ids filled in, and the roles that may call."""
    rules = rules_of(app.routes)
    found = []
    for context in iter_route_contexts(app.routes):
        for method in METHODS_WITH_BODY & set(context.methods or ()):
            roles = rules[f"{method} {context.path}"]
            found.append((method, re.sub(r"\{[^}]*\}", str(new_id()), context.path or ""), roles or frozenset()))
    return found


class Door:
    """A request whose body never comes. `wanted` is set when the app asks for it."""

    def __init__(self, app: FastAPI, method: str, path: str, token: str | None) -> None:
        self.wanted = asyncio.Event()
        self.status = 0
        headers = [(b"content-type", b"application/json")]
        headers += [(b"authorization", f"Bearer {token}".encode())] if token else []
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "server": ("doorstep", 80),
            "scheme": "http", "root_path": "",
        }  # fmt: skip
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, object]:
        if self.wanted.is_set():
            await asyncio.Event().wait()
        self.wanted.set()
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def _send(self, message) -> None:
        self.status = message.get("status", self.status)


def token_of(runtime: Runtime, role: Role) -> str:
    if role is Role.SERVICE:
        return runtime.service_token(ActorRef("supervisor", "s-1"))
    settings: Settings = runtime.settings
    return development_token(settings, role, lender="lender-1")


@pytest.mark.parametrize("name", PARTS)
async def test_no_route_reads_a_stranger_s_body(services, name):
    _, app = services[name]
    routes = routes_with_a_body(app)
    assert len(routes) > 3
    for method, path, _ in routes:
        door = Door(app, method, path, None)
        async with asyncio.timeout(5):
            await door.task
        assert (door.status, door.wanted.is_set()) == (401, False), f"{method} {path}"


@pytest.mark.parametrize("name", PARTS)
async def test_no_route_writes_before_it_has_its_body(services, name):
    runtime, app = services[name]
    for method, path, roles in routes_with_a_body(app):
        door = Door(app, method, path, token_of(runtime, min(roles)))
        waiting = asyncio.create_task(door.wanted.wait())
        async with asyncio.timeout(5):
            await asyncio.wait([door.task, waiting], return_when=asyncio.FIRST_COMPLETED)
        for _ in range(3):
            await asyncio.sleep(0)
        refused_unread = (
            door.status == 415 and not door.wanted.is_set()
        )  # a file in pieces: its type is looked at first
        assert refused_unread or not door.task.done(), f"{method} {path}: {door.status}"
        assert runtime.database.writing_seconds == 0, f"{method} {path}"
        waiting.cancel()
        door.task.cancel()
        await asyncio.wait([door.task, waiting])


def test_a_route_that_is_no_room_s_stops_the_start(services):
    runtime, _ = services["cases"]
    careless = APIRouter(prefix="/cases/v1", dependencies=[allow(Role.ADMIN)])

    @careless.get("/side-door")
    async def side_door() -> str:
        return "hello"

    with pytest.raises(RouteWithoutDoor, match="/cases/v1/side-door"):
        create_app(runtime, title="Careless", routers=[careless])
