"""HTTP for every service: one way to build an app, with the same errors, ids, logs, health and rules everywhere."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.middleware.cors import CORSMiddleware

from shared.auth import Public, all_of, public, rules_of
from shared.runtime import Runtime
from shared.settings import Settings
from shared.web.access import Access
from shared.web.approvals import approvals_router
from shared.web.body_reader import body_of, body_with, file_body
from shared.web.bus import bus_router
from shared.web.contract import contract_router
from shared.web.jobs import jobs_router
from shared.web.limits import Limits
from shared.web.operations import clock_router, health_router
from shared.web.paging import LongPaging, Page, PageRequest, Paging
from shared.web.problems import add_problem_handlers
from shared.web.requests import (
    METHODS_WITH_BODY,
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
    "body_of",
    "body_with",
    "context_of",
    "create_app",
    "create_front",
    "create_health_app",
    "etag",
    "file_body",
    "room",
]

CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID", "X-Request-Id")
CORS_EXPOSED = ("ETag", "Idempotent-Replayed", "Location", "Retry-After", "X-Correlation-Id", "X-Request-Id")


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

    # Routes as their rooms made them: to include a router would build each of its routes once more, for each app.
    routes = [route for router in routers for route in router.routes]
    app = FastAPI(
        title=title, version="1", routes=routes, lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.state.runtime = runtime
    if runtime.service.approvals is not None:
        app.include_router(approvals_router(name, runtime.service.approvals))
    for router in (
        bus_router(runtime),
        clock_router(runtime),
        health_router(runtime),
        jobs_router(runtime),
        contract_router(app, name),
    ):
        app.include_router(router)
    return _with_doors(app, name, runtime.settings, runtime.log_key)


def create_health_app(runtime: Runtime) -> FastAPI:
    """What a worker answers: its health and its metrics, nothing else."""
    app = FastAPI(title=f"{runtime.service.name} worker", openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(health_router(runtime))
    return _with_doors(app, runtime.service.name, runtime.settings, runtime.log_key)


def create_front(
    settings: Settings, router: APIRouter, *, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> FastAPI:
    """The app that answers for several services where no service does. Its routes are public."""
    app = FastAPI(title="Doorstep", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router, dependencies=[public])
    return _with_doors(app, "front", settings, b"")


class RouteWithoutDoor(RuntimeError):
    """A route would read its body while it runs, before it knows its caller. The service does not start."""


def _with_doors(app: FastAPI, name: str, settings: Settings, log_key: bytes) -> FastAPI:
    """The app with what every door has, from the inside out: problems, rules, limits, CORS, ids and the access log."""
    add_problem_handlers(app)
    rules_of(app.routes)
    _check_doors(app)
    app.add_middleware(Limits, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
        )
    app.add_middleware(Access, service=name, key=log_key)
    return app


def _check_doors(app: FastAPI) -> None:
    """Raises RouteWithoutDoor for a route with a caller or a body that is no DoorstepRoute."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or isinstance(route, DoorstepRoute):
            continue
        is_public = any(isinstance(each.call, Public) for each in all_of(context.dependant))
        if not is_public or METHODS_WITH_BODY & set(context.methods or ()):
            raise RouteWithoutDoor(f"{context.path} must be a route of room(…), or have the route class DoorstepRoute")
