"""The HTTP server of a process: uvicorn, with the limits of its connections and the proxies that are trusted."""

import resource
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from shared.door_settings import DoorSettings
from shared.web.connections import Connection, Connections

SHUTDOWN_SECONDS_MAX = 10
OTHER_FILES = 256  # open files of a process that are no connections: databases, logs, the bus
FILES_MIN = 64
FILES_ENOUGH = 65_536


def server(app: ASGIApp, settings: DoorSettings, *, host: str, port: int) -> uvicorn.Server:
    """A server of an app, not started yet. The process may open as many files as the system lets it."""
    total_max = min(settings.connections_max, max(FILES_MIN, _allow_files() - OTHER_FILES))
    connections = Connections(settings, total_max=total_max)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(Connection, connections),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds_max,  # type: ignore[arg-type]
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,  # a stream has no end of its own
    )
    return uvicorn.Server(config)


def _allow_files() -> int:
    """Raise the soft limit of open files to the hard one. Returns the limit that holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, FILES_ENOUGH) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
