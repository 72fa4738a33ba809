"""The body of a request: read to its end, bounded and timed, before a route's function or a transaction begins.

A route that wants another limit states it: `dependencies=[body_of(bytes_max=…)]`. A route that takes a file in pieces
states `dependencies=[file_body]`. It reads `request.stream()` before it opens a transaction, and counts the bytes.
"""

import asyncio
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from shared.bodies import malformed, shown_path
from shared.clock import monotonic_seconds
from shared.door_settings import DoorSettings
from shared.errors import Invalid, TooLarge, TooSlow
from shared.text import storable

DEPTH_MAX = 32
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1  # what both databases store
LARGE_BYTES = 64 * 1024  # the check of a larger text leaves the event loop
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BodyRule:
    """How much body a route takes. `bytes_max`: None for the setting json_bytes_max. `file`: in pieces, as it comes.
    `of_the_attempt`: fields of a JSON body that differ each time the same request is sent."""

    def __init__(
        self, *, bytes_max: int | None = None, file: bool = False, of_the_attempt: Collection[str] = ()
    ) -> None:
        self.bytes_max = bytes_max
        self.file = file
        self.of_the_attempt = frozenset(of_the_attempt)

    async def __call__(self) -> None:
        """Nothing: a dependency only states the rule."""


def body_of(*, bytes_max: int) -> Any:
    """For a route whose body may be larger, or must be smaller, than the setting json_bytes_max."""
    return Depends(BodyRule(bytes_max=bytes_max))


def body_with(*, of_the_attempt: Collection[str]) -> Any:
    """For a route whose body has fields that differ at each attempt: an Idempotency-Key covers the others."""
    return Depends(BodyRule(of_the_attempt=of_the_attempt))


file_body: Any = Depends(BodyRule(file=True))


def covered_by_key(body: bytes, of_the_attempt: Collection[str]) -> bytes:
    """What must be the same when a request is sent again with its Idempotency-Key."""
    try:
        found = from_json(body) if of_the_attempt else None
    except ValueError:
        return body  # the route refuses it
    if not isinstance(found, dict) or found.keys().isdisjoint(of_the_attempt):
        return body
    return json.dumps({name: value for name, value in found.items() if name not in of_the_attempt}).encode()


async def with_body(request: Request, rule: BodyRule, settings: DoorSettings) -> Request:
    """The request with its body already read; for a file with a time limit on each piece.

    Raises TooLarge, TooSlow, and Invalid for an upload that ends early or for JSON that no route can take.
    """
    if rule.file:
        timed = _in_time(request.receive, settings.upload_idle_seconds_max, settings.upload_seconds_max)
        return Request(request.scope, timed)
    content = await _read(request, rule.bytes_max or settings.json_bytes_max, settings.body_seconds_max)
    if content and _is_json(request.headers.get("content-type", "")):
        if len(content) > LARGE_BYTES:
            await asyncio.to_thread(check_json, content)
        else:
            check_json(content)
    return Request(request.scope, _again(content, request.receive))


async def _read(request: Request, bytes_max: int, seconds_max: float) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit() and int(declared) <= bytes_max):
        raise _too_large(bytes_max)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(seconds_max):
            async for piece in request.stream():
                size += len(piece)
                if size > bytes_max:
                    raise _too_large(bytes_max)
                pieces.append(piece)
    except TimeoutError:
        raise TooSlow("body-too-slow", f"The body must arrive within {seconds_max:g} seconds. Send it again.") from None
    except ClientDisconnect:
        raise Invalid("upload-cut", "The upload ended early. Nothing was kept; send it again.") from None
    return b"".join(pieces)


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge("too-large", f"The body of this request has at most {bytes_max:,} bytes. Send less at once.")


def _again(content: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then what comes after it (a disconnect)."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return receive_again


def _in_time(receive: Receive, idle_seconds: float, total_seconds: float) -> Receive:
    """A `receive` that raises TooSlow where a piece, or all of them together, take too long."""
    ends, complete = monotonic_seconds() + total_seconds, False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout(min(idle_seconds, ends - monotonic_seconds())):
                message = await receive()
        except TimeoutError:
            raise TooSlow(
                "upload-too-slow",
                f"A file must arrive within {total_seconds:g} seconds, without a pause of {idle_seconds:g} seconds. "
                "Nothing was kept; send it again.",
            ) from None
        complete = not message.get("more_body", False)
        return message

    return receive_in_time


def _is_json(content_type: str) -> bool:
    kind, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def check_json(content: bytes) -> None:
    """Refuse JSON that no route can take: broken, too deep, numbers that are not stored, text that is no text.

    Raises Invalid with the code `malformed`; it names the place and never repeats a value.
    """
    try:
        value = from_json(content.removeprefix(_BYTE_ORDER_MARK), allow_inf_nan=False)
    except ValueError as error:
        raise malformed([{"where": "body", "what": f"must be JSON (RFC 8259, UTF-8): {error}"}]) from None
    fault = _fault(value, 0)
    if fault:
        raise malformed([{"where": shown_path(["body", *reversed(fault.place)]), "what": fault.what}])


@dataclass(frozen=True, slots=True)
class _Fault:
    """`place` is filled from the innermost field outwards."""

    what: str
    place: list[str | int]


def _fault(value: Any, depth: int) -> _Fault | None:
    """The first fault of a value and of all within it."""
    if isinstance(value, dict | list):
        if depth >= DEPTH_MAX:
            return _Fault(f"must not be nested deeper than {DEPTH_MAX} levels", [])
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            fault = _fault(name, depth + 1) or _fault(inner, depth + 1)
            if fault:
                fault.place.append(name)
                return fault
    elif isinstance(value, str):
        return _Fault("must not contain the character U+0000", []) if not storable(value) else None
    elif isinstance(value, int):
        return _Fault("must be an integer of at most 64 bits", []) if not INTEGER_MIN <= value <= INTEGER_MAX else None
    elif isinstance(value, float) and not math.isfinite(value):
        return _Fault("must be a smaller number", [])
    return None
