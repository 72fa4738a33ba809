"""Every route of the four services, as their OpenAPI documents and rules describe them: a test that walks them meets a
new route the day it is written."""

import asyncio
import copy
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi.routing import APIRoute, iter_route_contexts

from services.embedded import PARTS
from shared.auth import Role, rules_of
from shared.events.envelope import ActorRef
from shared.runtime import Runtime
from shared.settings import Settings
from tests.databases import migrated
from tests.one_service import bearer

AN_ID = "01930000-0000-7000-8000-000000000000"
_BY_FORMAT = {"uuid": AN_ID, "date": "2026-03-02", "date-time": "2026-03-02T10:00:00+08:00", "time": "09:00:00"}
_TEXTS = ("x", "xy", "5a" * 32, "phone-1", "audio/mp4", "R-1", "AB", "AB-1", "M2", "12.50", "tw")


@dataclass(frozen=True, slots=True)
class Field:
    """A leaf of a body: its place in the sample, and its schema."""

    path: tuple[str | int, ...]
    schema: dict[str, Any]


@dataclass(slots=True)
class Door:
    """One route with a caller who may use it."""

    service: str
    method: str
    path: str
    route: APIRoute
    headers: dict[str, str]
    client: httpx.AsyncClient
    operation: dict[str, Any]
    components: dict[str, Any] = field(repr=False)
    runtime: Runtime = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return list(self.operation.get("parameters", ()))

    @property
    def needed(self) -> dict[str, str]:
        """Values for the query parameters that the route requires."""
        return {
            each["name"]: str(self.sample(each["schema"]))
            for each in self.parameters
            if each["in"] == "query" and each.get("required")
        }

    @property
    def body_schema(self) -> dict[str, Any] | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        return content.get("application/json", {}).get("schema")

    def url(self, **values: str) -> str:
        names = {each["name"]: each["schema"] for each in self.parameters if each["in"] == "path"}
        filled = {name: str(self.sample(schema)) for name, schema in names.items()} | values
        return re.sub(r"{(\w+)(:\w+)?}", lambda found: filled.get(found[1], "x"), self.path)

    async def ask(
        self, *, url: str | None = None, query: Any = None, body: Any = None, **headers: str
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body)
        kind = {"Content-Type": "application/json"} if body is not None else {}
        return await self.client.request(
            self.method,
            url or self.url(),
            params=(self.needed if url is None or "?" not in url else None) if query is None else query,
            content=content,
            headers={**self.headers, **kind},
        )

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema without its indirections: the form of a value that is not null."""
        while True:
            if "$ref" in schema:
                schema = self.components[schema["$ref"].rsplit("/", 1)[1]]
            elif "allOf" in schema:
                schema = schema["allOf"][0]
            elif "anyOf" in schema:
                schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
            else:
                return schema

    def sample(self, schema: dict[str, Any]) -> Any:
        """A value of this form, with all of its optional fields."""
        schema = self.resolved(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        match schema.get("type"):
            case "object" if "properties" in schema:
                return {name: self.sample(each) for name, each in schema["properties"].items()}
            case "object":
                key = schema.get("propertyNames", {})
                return {str(self.sample(key)) if key else "x": self.sample(schema.get("additionalProperties", {}))}
            case "array":
                return [self.sample(schema.get("items", {}))] * max(1, schema.get("minItems", 1))
            case "string":
                return _text(schema)
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return False
        return "x"

    def fields(self, schema: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[Field]:
        """The places of a sample of this form: objects, lists and leaves."""
        schema = self.resolved(schema)
        yield Field(path, schema)
        if schema.get("type") == "object" and "properties" in schema:
            for name, each in schema["properties"].items():
                yield from self.fields(each, (*path, name))
        if schema.get("type") == "array":
            yield from self.fields(schema.get("items", {}), (*path, 0))


def _text(schema: dict[str, Any]) -> str:
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    return next((text for text in _TEXTS if re.search(schema.get("pattern", ""), text)), "x")


def changed(sample: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The sample with another value at a place."""
    if not path:
        return value
    found = copy.deepcopy(sample)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


@asynccontextmanager
async def every_door(folder: Path) -> Any:
    """The four services, each on a SQLite database of its own, and all of their routes."""
    async with AsyncExitStack() as stack:
        doors = []
        for name, part in PARTS.items():
            settings: Settings = part.settings(data_dir=folder)
            runtime = Runtime(part.service, await asyncio.to_thread(migrated, settings, part.service))
            app = part.create_app(runtime)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://doorstep")
            await stack.enter_async_context(client)
            doors += _doors_of(name, runtime, app, client)
        yield doors


def _doors_of(name: str, runtime: Runtime, app: Any, client: httpx.AsyncClient) -> Iterator[Door]:
    rules, document = rules_of(app.routes), app.openapi()
    tokens = {role: bearer(runtime, role) for role in Role if role is not Role.SERVICE}
    service_token = runtime.service_token(ActorRef("supervisor", "s-1"))
    tokens[Role.SERVICE] = {"Authorization": f"Bearer {service_token}"}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        [method] = context.methods or ()
        roles = rules[f"{method} {context.path}"]
        described = document["paths"].get(re.sub(r":\w+}", "}", context.path), {}).get(method.lower(), {})
        headers = tokens[sorted(roles)[-1]] if roles else {}
        schemas = document.get("components", {}).get("schemas", {})
        yield Door(name, method, context.path, route, headers, client, described, schemas, runtime)
