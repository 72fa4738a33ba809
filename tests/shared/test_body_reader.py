"""The body of a request: known caller first, then read to its end, bounded and timed, before anything opens."""

import asyncio
import json

import pytest
from fastapi import Request

from shared.auth import Role
from shared.errors import Invalid, TooSlow
from shared.settings import Settings
from shared.web.body_reader import DEPTH_MAX, BodyRule, check_json, with_body


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


SOUND = {
    "the deepest": nested(DEPTH_MAX),
    "the largest integer": str(2**63 - 1).encode(),
    "the smallest integer": str(-(2**63)).encode(),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "an emoji as a surrogate pair": rb'"\ud83d\ude00"',
    "a fraction": b"0.1e-3",
}
UNSOUND = {
    "too deep": (nested(DEPTH_MAX + 1), "body" + ".0" * DEPTH_MAX),
    "deep enough for a parser's stack": (nested(100_000), "body"),
    "an integer of 65 bits": (b'{"a": [1, 9223372036854775808]}', "body.a.1"),
    "a negative integer of 65 bits": (b"-9223372036854775809", "body"),
    "an integer of a million digits": (b"1" * 1_000_000, "body"),
    "a fraction beyond all floats": (b'{"a": 1e400}', "body.a"),
    "not a number": (b'{"a": NaN}', "body"),
    "infinity": (b"-Infinity", "body"),
    "NUL in a text": (rb'{"a": {"b": "x\u0000y"}}', "body.a.b"),
    "NUL in a name": (rb'{"x\u0000": 1}', "body.(a name that is not repeated here)"),
    "half of a surrogate pair": (rb'{"a": "\ud800"}', "body"),
    "half of a surrogate pair as bytes": (b'"\xed\xa0\x80"', "body"),
    "no UTF-8": (b'"\xff"', "body"),
    "no JSON": (b'{"name": secret}', "body"),
}


@pytest.mark.parametrize("kind", SOUND)
def test_sound_json_passes(kind):
    assert check_json(SOUND[kind]) is None


@pytest.mark.parametrize("kind", UNSOUND)
def test_unsound_json_is_malformed_by_its_place_and_never_by_its_value(kind):
    content, where = UNSOUND[kind]
    with pytest.raises(Invalid) as refused:
        check_json(content)
    (place,) = refused.value.fields["errors"]
    assert (refused.value.code, place["where"]) == ("malformed", where)
    assert "secret" not in str(refused.value.fields)
    assert len(json.dumps(refused.value.fields)) < 300


class Asked:
    """One request to an app, whose body comes when the test sends it."""

    def __init__(self, app, token, path="/cases/v1/notes", **headers):
        self.pieces: asyncio.Queue = asyncio.Queue()
        self.wanted = asyncio.Event()
        self.messages: list = []
        sent = {"content-type": "application/json", **headers} | ({"authorization": f"Bearer {token}"} if token else {})
        self._scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1), "server": ("doorstep", 80), "scheme": "http", "root_path": "",
        }  # fmt: skip
        self.task = asyncio.create_task(app(self._scope, self._receive, self._send))

    async def _receive(self):
        self.wanted.set()
        return await self.pieces.get()

    async def _send(self, message):
        self.messages.append(message)

    def sends(self, body: bytes, more: bool = False) -> None:
        self.pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})

    async def answer(self):
        """Status, headers and title of the problem."""
        async with asyncio.timeout(5):
            await self.task
        body = json.loads(b"".join(message.get("body", b"") for message in self.messages))
        return self.messages[0]["status"], dict(self.messages[0]["headers"]), body.get("title")


@pytest.mark.parametrize("token", ["none", "of another role"])
async def test_a_body_of_a_stranger_is_never_read(system, token):
    bearer = None if token == "none" else system.token(Role.COLLECTOR)
    asked = Asked(system.app, bearer, **{"content-length": str(30 * 1024 * 1024)})
    status, _, _ = await asked.answer()
    assert status == (401 if token == "none" else 403)
    assert not asked.wanted.is_set()


async def test_a_body_that_says_it_is_too_large_is_never_read(system):
    asked = Asked(system.app, system.token(Role.SUPERVISOR), **{"content-length": str(1024 * 1024 + 1)})
    status, _, title = await asked.answer()
    assert (status, title) == (413, "too-large")
    assert not asked.wanted.is_set()


async def test_a_body_that_grows_too_large_is_read_no_further(running_with):
    async with running_with(json_bytes_max=1_000) as system:
        asked = Asked(system.app, system.token(Role.SUPERVISOR))
        asked.sends(b"x" * 600, more=True)
        asked.sends(b"x" * 600, more=True)
        asked.sends(b"x" * 600, more=True)
        status, _, title = await asked.answer()
    assert (status, title) == (413, "too-large")
    assert asked.pieces.qsize() == 1


@pytest.mark.parametrize("length", ["-1", "1_0", "١", "x"])
async def test_a_length_that_is_none_is_refused(system, length):
    asked = Asked(system.app, system.token(Role.SUPERVISOR))
    asked._scope["headers"].append((b"content-length", length.encode("utf-8")))
    status, _, _ = await asked.answer()
    assert status == 413


async def test_a_body_that_is_too_slow_is_408_and_ends_the_connection(running_with):
    async with running_with(body_seconds_max=0.05) as system:
        asked = Asked(system.app, system.token(Role.SUPERVISOR))
        asked.sends(b"{", more=True)
        status, headers, title = await asked.answer()
    assert (status, title, headers[b"connection"]) == (408, "body-too-slow", b"close")


async def test_a_body_that_is_cut_short_is_no_error_of_ours(system):
    asked = Asked(system.app, system.token(Role.SUPERVISOR))
    asked.sends(b"{", more=True)
    asked.pieces.put_nowait({"type": "http.disconnect"})
    status, _, title = await asked.answer()
    assert (status, title) == (422, "upload-cut")


async def test_a_slow_body_stops_no_other_write(system):
    slow = Asked(system.app, system.token(Role.SUPERVISOR))
    slow.sends(b'{"text"', more=True)
    await slow.wanted.wait()
    assert (await system.caller(Role.SUPERVISOR).post("/cases/v1/notes", {"text": "quick"})).status_code == 201
    slow.sends(b': "slow"}')
    assert (await slow.answer())[0] == 201


async def test_unsound_json_is_422_over_http(system):
    headers = {"Authorization": f"Bearer {system.token(Role.SUPERVISOR)}", "Content-Type": "application/json"}
    answer = await system.client.post("/cases/v1/notes", content=rb'{"text": "\u0000"}', headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "body.text")
    deep = await system.client.post("/cases/v1/notes", content=nested(100_000), headers=headers)
    assert (deep.status_code, deep.json()["title"]) == (422, "malformed")


async def test_a_large_text_is_checked_beside_the_event_loop(system):
    """A supervisor's alarm must not wait for another caller's megabyte."""
    content = json.dumps({"text": ["x"] * 200_000}).encode()
    headers = {"Authorization": f"Bearer {system.token(Role.SUPERVISOR)}", "Content-Type": "application/json"}
    asking = asyncio.create_task(system.client.post("/cases/v1/notes", content=content, headers=headers))
    turns = 0
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await asking).status_code == 422
    assert turns > 100


@pytest.mark.parametrize(
    ("limits", "pieces"),
    [({"upload_idle_seconds_max": 0.05}, 3), ({"upload_seconds_max": 0.05, "upload_idle_seconds_max": 0.04}, 1_000)],
)
async def test_a_file_that_pauses_or_takes_too_long_is_refused(limits, pieces):
    sent = 0

    async def receive():
        nonlocal sent
        sent += 1
        await asyncio.sleep(0.002 if sent <= pieces else 60)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": []}
    request = await with_body(Request(scope, receive), BodyRule(file=True), Settings(**limits))
    with pytest.raises(TooSlow) as slow:
        async for _ in request.stream():
            pass
    assert slow.value.code == "upload-too-slow"
    assert sent > 1
