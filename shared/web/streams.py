"""Streams over HTTP, as server-sent events. A reader that comes back with Last-Event-ID goes on after the event that it
saw last, at whatever process; a stream ends with the reader's token.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.sse import ServerSentEvent

from shared.auth import LEEWAY_SECONDS, Actor
from shared.clock import system_now
from shared.database import Transaction
from shared.errors import DomainError, Invalid
from shared.streams import Read
from shared.web.requests import context_of

LOOK_AGAIN_SECONDS = 0.5
POSITION_DIGITS_MAX = 16


def _position(last_event_id: Annotated[str | None, Header()] = None) -> int | None:
    if last_event_id is None:
        return None
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= POSITION_DIGITS_MAX):
        raise Invalid("last-event-id", "Last-Event-ID must be the number of an event of this stream.")
    return int(last_event_id)


LastEventId = Annotated[int | None, Depends(_position)]
"""The position that a reader has reached; None where it has not begun."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A stream, and from where a reader wants it."""

    read: Read
    after: int


async def begin(tx: Transaction, read: Read, after: int) -> Reading:
    """Read once before the stream begins: a wrong position is then answered as a problem. Raises what `Read` says."""
    await read(tx, after)
    return Reading(read, after)


async def follow(request: Request, actor: Actor, reading: Reading) -> AsyncIterator[ServerSentEvent]:
    """The items as they come, until there are no more or the token ends. A trouble on the way ends the stream: a reader
    that comes back is answered with the problem. No transaction is open while a slow reader takes its items."""
    database = request.app.state.runtime.database
    after, going = reading.after, True
    while going:
        try:
            async with database.reading(context_of(request)) as tx:
                batch = await reading.read(tx, after)
        except DomainError:
            return
        for item in batch.items:
            if _is_refused(actor):
                return
            after = item.position
            yield ServerSentEvent(data=item.data, event=item.kind, id=str(after))
        if batch.ended:
            return
        going = await wait(actor, 0 if batch.items else LOOK_AGAIN_SECONDS)


def _is_refused(actor: Actor) -> bool:
    """Whether the door would not take this token any more: a slow reader of a page gets no more of it."""
    return actor.token_ends_at + LEEWAY_SECONDS <= system_now().timestamp()


async def wait(actor: Actor, seconds: float) -> bool:
    """Wait, at most until the end of the actor's token. False when the token has ended: then its stream ends, too."""
    left = actor.token_ends_at - system_now().timestamp()
    await asyncio.sleep(max(0.0, min(seconds, left)))
    return left > seconds
