"""Connections of one server: how many of them, and how slow each may be. uvicorn parses HTTP and runs the app. It does
not limit headers without an end, many connections of one address, or answers that are never read.

A connection waits while it has no request under way: it is new, its header is incomplete, or it is idle between two
requests. Where a limit is reached, the connection that waits longest makes room. So a thousand half-open requests of an
address never shut out the next request, not even one of the same address.
"""

import asyncio
import json
from collections import Counter, OrderedDict
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.clock import monotonic_seconds
from shared.door_settings import DoorSettings
from shared.ids import new_id
from shared.telemetry import CONNECTIONS_CLOSED
from shared.web.access import write_refusal
from shared.web.limits import in_networks, network_of
from shared.web.problems import MEDIA_TYPE, document

LINGER_SECONDS_MAX = 5.0  # to take the rest of a body that is refused, so that the refusal arrives


class Connections:
    """The open connections of a server, by address, and those that wait, the longest first."""

    def __init__(self, settings: DoorSettings, *, total_max: int) -> None:
        self.settings = settings
        self._total_max = total_max
        self._proxies = tuple(ip_network(network) for network in settings.trusted_proxies)
        self._total = 0
        self._open: Counter[bytes] = Counter()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._waiting_of: dict[bytes, OrderedDict[Connection, None]] = {}

    def enter(self, connection: "Connection") -> bool:
        """Count a new connection. At a limit, the one that waits longest is closed; False if none waits."""
        address = connection.address
        limited = not in_networks(connection.host, self._proxies)
        address_full = limited and self._open[address] >= self.settings.connections_per_address_max
        if address_full and not self._close_oldest(self._waiting_of.get(address), "connections_per_address"):
            return False
        if self._total >= self._total_max and not self._close_oldest(self._waiting, "connections"):
            return False
        self._total += 1
        self._open[address] += 1
        self.waits(connection)
        return True

    def _close_oldest(self, waiting: "OrderedDict[Connection, None] | None", limit: str) -> bool:
        if not waiting:
            return False
        oldest = next(iter(waiting))
        self.leave(oldest)
        oldest.transport.close()
        CONNECTIONS_CLOSED.labels(limit).inc()
        return True

    def leave(self, connection: "Connection") -> None:
        """The connection ends. It may be said twice."""
        if not connection.counted:
            return
        connection.counted = False
        self.works(connection)
        self._total -= 1
        self._open[connection.address] -= 1
        if not self._open[connection.address]:
            del self._open[connection.address]

    def waits(self, connection: "Connection") -> None:
        """The connection has no request under way."""
        self._waiting[connection] = None
        self._waiting_of.setdefault(connection.address, OrderedDict())[connection] = None

    def works(self, connection: "Connection") -> None:
        """The connection has a request under way, or has ended."""
        self._waiting.pop(connection, None)
        waiting = self._waiting_of.get(connection.address)
        if waiting is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._waiting_of[connection.address]


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits of time and size around it."""

    def __init__(self, connections: Connections, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._all = connections
        self._settings = connections.settings
        self._header_bytes = 0
        self._header_began = 0.0
        self._works = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._refusal: tuple[HTTPStatus, str, str] | None = None
        self.counted = False
        self.host = ""
        self.address = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.host = self.client[0] if self.client else ""
        self.address = network_of(self.host)
        self.counted = self._all.enter(self)
        if self.counted:
            self._limit("header_seconds", self._settings.header_seconds_max)
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too-many-connections", "Close connections, then try again.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leave(self)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not (self._works and self.cycle.more_body):  # a header, perhaps sent before the last answer has ended
            self._header_began = self._header_began if self._header_bytes else monotonic_seconds()
            self._header_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._header_bytes > self._settings.header_bytes_max:
            self._refuse(*self._too_large_header())
        elif not self._works and "header_seconds" not in self._timers:
            self._limit("header_seconds", self._settings.header_seconds_max)

    def on_headers_complete(self) -> None:
        if (
            len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            > self._settings.header_bytes_max
        ):
            self._refusal = self._too_large_header()
            raise ValueError("the header is too large")  # the parser stops, then send_400_response answers
        super().on_headers_complete()
        self._works, self._header_bytes = True, 0
        self._unlimit("header_seconds")
        self._all.works(self)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if "linger_seconds" in self._timers:  # the answer went out before the end of the body
            self._unlimit("linger_seconds")
            self._wait()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        if self.cycle.more_body:
            self._limit("linger_seconds", LINGER_SECONDS_MAX)
        else:
            self._wait()

    def _wait(self) -> None:
        self._works = False
        if self._header_bytes:
            self._limit("header_seconds", self._settings.header_seconds_max)
        if self.counted:
            self._all.waits(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._limit("send_seconds", self._settings.send_seconds_max)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unlimit("send_seconds")

    def _limit(self, name: str, seconds: float) -> None:
        if name not in self._timers:
            self._timers[name] = self.loop.call_later(seconds, self._too_slow, name)

    def _unlimit(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _too_slow(self, name: str) -> None:
        del self._timers[name]
        CONNECTIONS_CLOSED.labels(name).inc()
        if name == "header_seconds" and self._header_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "header-too-slow", "Send the header of the request at once.")
        elif name == "send_seconds":
            self.transport.abort()  # what waits to be written would never be read
        else:
            self.transport.close()

    def _too_large_header(self) -> tuple[HTTPStatus, str, str]:
        detail = f"The header of a request has at most {self._settings.header_bytes_max:,} bytes."
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "header-too-large", detail

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what is not HTTP, as a problem document."""
        self._refuse(*(self._refusal or (HTTPStatus.BAD_REQUEST, "not-http", "Send an HTTP/1.1 request.")))

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answer before there is a request for the app, and end the connection. While an earlier request waits for its
        answer, the connection only ends: the client would take this answer for that one, or for a part of it."""
        if self._works and (self.cycle.response_started or not self.cycle.more_body):
            CONNECTIONS_CLOSED.labels(code).inc()
            self.transport.close()
            return
        request_id = str(new_id())
        if self._header_bytes:  # else there is no request, or the app has written its line
            write_refusal(status, code, monotonic_seconds() - self._header_began, request_id)
        body = json.dumps(document(status, code, detail)).encode()
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {MEDIA_TYPE}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            f"X-Request-Id: {request_id}",
            f"X-Correlation-Id: {request_id}",
            "Connection: close",
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()
