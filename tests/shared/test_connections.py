"""Real sockets on loopback: half-open requests, slow headers, bodies that are refused, answers that are not read."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager, suppress
from time import perf_counter

import pytest

from shared.auth import Role
from shared.settings import Settings
from shared.web.server import server

NOTES = "/cases/v1/notes"


def listening(system):
    """The system's app behind a server of its own. The fixture has started the app."""
    return serving(system.app, system.runtime.settings)


@asynccontextmanager
async def serving(app, settings):
    """A server on a free port of loopback. Gives the port."""
    running = server(app, settings, host="127.0.0.1", port=0)
    running.config.lifespan = "off"
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.001)
    try:
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        await task


class Line:
    """One connection of a client."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            return int(head[9:12]), head, await self.reader.readexactly(length)

    async def ended(self) -> bool:
        """Whether the server ends the connection, within a few seconds."""
        async with asyncio.timeout(5):
            try:
                return await self.reader.read(65_536) == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def connected(port: int, count: int = 1):
    lines = [Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]
    try:
        yield lines
    finally:
        for line in lines:
            line.writer.transport.abort()


def get(path: str, token: str | None = None) -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}\r\n".encode()


def post(token: str | None, length: int, **more: str) -> bytes:
    head = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(length), **more}
    if token:
        head["Authorization"] = f"Bearer {token}"
    lines = [f"POST {NOTES} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def title(body: bytes) -> str:
    return json.loads(body)["title"]


async def test_half_open_requests_make_room_for_the_next_request_of_their_own_address(running_with):
    async with (
        running_with(connections_per_address_max=50) as system,
        listening(system) as port,
        connected(port, 60) as half_open,
    ):
        for line in half_open:
            await line.send(b"GET / HTTP/1.1\r\nHost:")
        started = perf_counter()
        async with connected(port) as (other,):
            await other.send(get("/health/live"))
            assert (await other.answer())[0] == 200
        assert perf_counter() - started < 0.5
        assert [await line.ended() for line in half_open[:10]] == [True] * 10
        await half_open[-1].send(b" x\r\n\r\n")
        assert (await half_open[-1].answer())[0] == 404


async def test_an_idle_connection_makes_room_too_and_a_busy_one_does_not(running_with):
    async with running_with(connections_per_address_max=2) as system, listening(system) as port:
        token = system.token(Role.SUPERVISOR)
        async with connected(port, 2) as (idle, busy):
            await idle.send(get("/health/live"))
            await idle.answer()
            await busy.send(post(token, 14) + b"{")
            async with connected(port) as (third,):
                assert await idle.ended()
                await third.send(post(token, 14) + b"{")
                async with connected(port) as (refused,):
                    status, _, body = await refused.answer()
                    assert (status, title(body)) == (503, "too-many-connections")
                await busy.send(b'"text": "xy"}')
                assert (await busy.answer())[0] == 201


async def test_trusted_proxies_are_not_limited_by_address_and_name_the_caller(running_with):
    settings = {"trusted_proxies": "127.0.0.0/8", "connections_per_address_max": 2}
    settings |= {"requests_per_second_per_address_max": 0.001, "requests_burst_seconds": 0.5}
    async with running_with(**settings) as system, listening(system) as port, connected(port, 5) as lines:
        for number, line in enumerate(lines):
            await line.send(get(NOTES).replace(b"Host: x", f"Host: x\r\nX-Forwarded-For: 10.0.0.{number}".encode()))
            assert (await line.answer())[0] == 401
        await lines[0].send(get(NOTES).replace(b"Host: x", b"Host: x\r\nX-Forwarded-For: 10.0.0.1"))
        assert (await lines[0].answer())[0] == 429


async def test_a_forwarded_address_counts_from_nobody_by_default(running_with):
    settings = {"requests_per_second_per_address_max": 0.001, "requests_burst_seconds": 0.5}
    async with running_with(**settings) as system, listening(system) as port, connected(port) as (line,):
        statuses = []
        for number in range(2):
            await line.send(get(NOTES).replace(b"Host: x", f"Host: x\r\nX-Forwarded-For: 10.0.0.{number}".encode()))
            statuses.append((await line.answer())[0])
    assert statuses == [401, 429]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", get("/health/live") + b"GET "])
async def test_a_slow_header_ends_the_connection(running_with, sent):
    async with running_with(header_seconds_max=0.1) as system, listening(system) as port, connected(port) as (line,):
        await line.send(sent)
        if sent.startswith(get("/health/live")):
            assert (await line.answer())[0] == 200
            await line.send(b"/")
        if sent:
            status, _, body = await line.answer()
            assert (status, title(body)) == (408, "header-too-slow")
        assert await line.ended()


async def test_an_idle_connection_ends(running_with):
    async with (
        running_with(keep_alive_seconds_max=0.1) as system,
        listening(system) as port,
        connected(port) as (line,),
    ):
        await line.send(get("/health/live"))
        assert (await line.answer())[0] == 200
        assert await line.ended()


@pytest.mark.parametrize("complete", [True, False])
async def test_a_large_header_is_431(running_with, complete):
    async with running_with(header_bytes_max=1_000) as system, listening(system) as port, connected(port) as (line,):
        await line.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000 + (b"\r\n\r\n" if complete else b""))
        status, _, body = await line.answer()
        assert (status, title(body)) == (431, "header-too-large")
        assert await line.ended()


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404), (b"nonsense\r\n\r\n", 400), (b"GET /\xff HTTP/1.1\r\n\r\n", 400)],
)
async def test_odd_requests_are_problem_documents(system, sent, status):
    async with listening(system) as port, connected(port) as (line,):
        await line.send(sent)
        found, head, body = await line.answer()
        assert found == status
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "not-http"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431, "header-too-large"),
        (b"GET / HTTP/1.1\r\n", 408, "header-too-slow"),
    ],
)
async def test_a_request_that_no_app_sees_has_its_line_and_its_ids_too(running_with, caplog, sent, status, code):
    caplog.set_level(logging.INFO, logger="doorstep.access")
    async with running_with(header_seconds_max=0.1) as system, listening(system) as port, connected(port) as (line,):
        await line.send(sent)
        found, head, _ = await line.answer()
    (logged,) = [record.doorstep for record in caplog.records if record.message == "request"]
    assert (found, logged["status"], logged["code"], logged["route"]) == (status, status, code, "(none)")
    assert logged["milliseconds"] >= 0
    for name in ("x-request-id", "x-correlation-id"):
        assert f"{name}: {logged['request_id']}\r\n".encode() in head


async def test_a_connection_without_a_request_has_no_line(running_with, caplog):
    caplog.set_level(logging.INFO, logger="doorstep.access")
    async with running_with(header_seconds_max=0.1) as system, listening(system) as port, connected(port) as (line,):
        assert await line.ended()
    assert "request" not in caplog.messages


async def test_a_broken_body_has_one_line(system, caplog):
    caplog.set_level(logging.INFO, logger="doorstep.access")
    head = post(system.token(Role.SUPERVISOR), 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    async with listening(system) as port, connected(port) as (line,):
        await line.send(head + b"not a size\r\n")
        assert (await line.answer())[0] == 400
        assert await line.ended()
    assert caplog.messages.count("request") == 1


async def test_headers_sent_during_a_stream_are_limited_and_never_answered_within_it(tmp_path):
    async def stream(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    for sent in (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, b"nonsense\r\n\r\n"):
        async with serving(stream, Settings(data_dir=tmp_path)) as port, connected(port) as (line,):
            await line.send(get("/"))
            await line.reader.readuntil(b"first\r\n")
            with suppress(ConnectionError):
                await line.send(sent)
            assert await line.ended()  # and nothing came before the end


async def test_a_500_leaves_the_connection_usable(system):
    token = system.token(Role.SUPERVISOR)
    async with listening(system) as port, connected(port) as (line,):
        body = b'{"text": "crash"}'
        await line.send(post(token, len(body), **{"X-Request-Id": "mine-1"}) + body)
        status, head, answer = await line.answer()
        assert (status, title(answer)) == (500, "internal")
        assert b"x-request-id: mine-1" in head
        await line.send(get("/health/live"))
        assert (await line.answer())[0] == 200


async def test_the_rest_of_a_refused_body_is_taken_and_the_connection_goes_on(system):
    async with listening(system) as port, connected(port) as (line,):
        size = 3 * 1024 * 1024
        await line.send(post(None, size) + b"x" * 1_000)
        assert (await line.answer())[0] == 401
        await line.send(b"x" * (size - 1_000))
        await line.send(get("/health/live"))
        assert (await line.answer())[0] == 200


async def test_a_refused_body_that_never_ends_ends_the_connection(system, monkeypatch):
    monkeypatch.setattr("shared.web.connections.LINGER_SECONDS_MAX", 0.1)
    async with listening(system) as port, connected(port) as (line,):
        await line.send(post(None, 1_000_000) + b"x")
        assert (await line.answer())[0] == 401

        async def drip() -> None:
            while True:
                await line.send(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await line.ended()
        dripping.cancel()
        await asyncio.wait([dripping])


async def test_an_answer_that_is_not_read_ends(tmp_path):
    pieces = 0

    async def endless(_scope, _receive, send):
        nonlocal pieces
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while pieces < 2_000:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            pieces += 1
            await asyncio.sleep(0)

    settings = Settings(data_dir=tmp_path, send_seconds_max=0.1)
    async with serving(endless, settings) as port, connected(port) as (line,):
        line.writer.transport.pause_reading()
        await line.send(get("/"))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if pieces == 2_000:  # what is sent to a connection that has ended is dropped
                break
        line.writer.transport.resume_reading()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await line.reader.readexactly(2_000 * 65_536)
