"""HTTP for every service: one way to build an app, with the same errors, ids, logs, health and rules everywhere."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.auth import public, rules_of
from shared.clock import monotonic_seconds
from shared.ids import new_id
from shared.runtime import Runtime
from shared.telemetry import REQUESTS, Log
from shared.tracing import RequestSpan
from shared.web.bus import bus_router
from shared.web.operations import clock_router, health_router
from shared.web.paging import LongPaging, Page, PageRequest, Paging
from shared.web.problems import add_problem_handlers
from shared.web.requests import (
    DoorstepRoute,
    IfMatch,
    ReadTx,
    SeenVersion,
    Tx,
    context_of,
    etag,
)

__all__ = [
    "IfMatch",
    "LongPaging",
    "Page",
    "PageRequest",
    "Paging",
    "ReadTx",
    "SeenVersion",
    "Tx",
    "context_of",
    "create_app",
    "create_health_app",
    "etag",
    "room",
]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = Log("web")


def room(service: str, *, tag: str) -> APIRouter:
    """The router of a room: its prefix, and routes that honour the Idempotency-Key."""
    return APIRouter(prefix=f"/{service}/v1", tags=[tag], route_class=DoorstepRoute)


def create_app(runtime: Runtime, *, title: str, routers: Sequence[APIRouter]) -> FastAPI:
    """The app of a service. It starts only if every route says who may call it."""
    name = runtime.service.name

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await runtime.start()
        yield
        await runtime.close()

    app = FastAPI(
        title=title,
        version="1",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    add_problem_handlers(app)
    for router in (
        *routers,
        bus_router(runtime),
        clock_router(runtime),
        health_router(runtime),
        _contract_router(app, name),
    ):
        app.include_router(router)
    rules_of(app.routes)
    app.add_middleware(_Observe, service=name)
    return app


def create_health_app(runtime: Runtime) -> FastAPI:
    """What a worker answers: its health and its metrics, nothing else."""
    app = FastAPI(title=f"{runtime.service.name} worker", openapi_url=None, docs_url=None, redoc_url=None)
    add_problem_handlers(app)
    app.include_router(health_router(runtime))
    return app


def _contract_router(app: FastAPI, name: str) -> APIRouter:
    """The OpenAPI document and its pages, open to everybody."""
    router = APIRouter(prefix=f"/{name}/v1", dependencies=[public], include_in_schema=False, route_class=DoorstepRoute)

    @router.get("/openapi.json")
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url=f"/{name}/v1/openapi.json", title=app.title)

    return router


class _Observe:
    """Gives each request an id, echoes it, counts and logs the request by its route, never by its address."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        span = RequestSpan(self._service, scope["method"], Headers(scope=scope).get("traceparent"))
        scope["state"]["traceparent"] = span.traceparent
        started = monotonic_seconds()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            span.end(route, status)
            REQUESTS.labels(self._service, scope["method"], route, status).observe(monotonic_seconds() - started)
            if status >= 500:
                _log.warning("answered", service=self._service, route=route, status=status, request_id=request_id)
