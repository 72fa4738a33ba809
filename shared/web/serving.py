"""Serving an app: on a socket that is bound first, so that a taken port is known before anything is started."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.door_settings import DoorSettings
from shared.errors import CannotRun
from shared.web.server import server


def bound(host: str, port: int) -> socket.socket:
    """A socket that has this address. Raises CannotRun where it cannot be had."""
    try:
        families = [found[0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        family = socket.AF_INET if socket.AF_INET in families else families[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CannotRun(f"{host} is no address of this machine. Name another with --host.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotRun(f"Port {port} is taken by another process. Name another with --port.") from error
        raise CannotRun(f"{host}, port {port}, cannot be had: {error.strerror}. Name others.") from error
    return listening


async def serve(
    app: ASGIApp,
    *,
    settings: DoorSettings,
    listening: socket.socket,
    ready: Callable[[], None] = lambda: None,
    until: asyncio.Event | None = None,
) -> None:
    """Serve an app on a bound socket until SIGTERM, Ctrl-C or `until`; `ready` is called when it accepts requests.
    Raises what stops the app from starting."""
    host, port = listening.getsockname()[:2]
    started = _Started(app)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    running = server(started, settings, host=host, port=port)
    serving = asyncio.create_task(_run(running, listening))
    while not running.started and not serving.done():
        await asyncio.sleep(0.01)
    if running.started:
        ready()
    ending = asyncio.create_task((until or asyncio.Event()).wait())
    await asyncio.wait([serving, ending], return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    running.should_exit = True
    await serving
    if started.failure is not None:
        raise started.failure


async def _run(running: uvicorn.Server, listening: socket.socket) -> None:
    with contextlib.suppress(SystemExit):  # of a start that failed: `serve` raises what stopped it
        await running.serve(sockets=[listening])


class _Started:
    """An app whose failure to start is kept: uvicorn would log its traceback and end the process."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, _without_words(send))
        except Exception as error:
            self.failure = error


def _without_words(send: Send) -> Send:
    """The message of a failed start is a traceback."""

    async def quiet(message: Message) -> None:
        await send({"type": message["type"]})

    return quiet


def _is_news(record: logging.LogRecord) -> bool:
    """The caller of `serve` reports why an app did not start."""
    return not str(record.msg).startswith("Application startup failed")
