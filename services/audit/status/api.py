"""Routes of how the trail stands, and of what is new in it."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.audit.status import queries, watch
from services.audit.status.schemas import NewEntry, TrailStatus
from services.audit.status.watch import LOOK_AGAIN_SECONDS, Place
from shared.auth import Actor, Role, allow
from shared.errors import Invalid
from shared.web import ReadTx, context_of, room
from shared.web.streams import wait

router = room("audit", tag="status")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]
PING_SECONDS = 15.0


@router.get("/trail/status")
async def get_status(request: Request, _actor: Officer, tx: ReadTx) -> TrailStatus:
    """How each log stands: checkpoint, witnesses, time stamp, copy; and what somebody should look at."""
    return await queries.trail_status(request.app.state.runtime, tx)


async def _place(
    log_id: str,
    request: Request,
    _actor: Officer,
    start: Annotated[int | None, Query(alias="from", ge=0, le=2**53, description="an index; default: now")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Place:
    """Where to watch from. Found before the stream begins, so that what is wrong is answered as a problem."""
    if last_event_id is not None:
        if not last_event_id.isdecimal() or len(last_event_id) > 16:
            raise Invalid("last-event-id", "This Last-Event-ID is not one of ours: it is a number.")
        start = int(last_event_id)
    async with request.app.state.runtime.database.transaction(context_of(request)) as tx:
        return await watch.begin(tx, {log_id: start})


@router.get("/logs/{log_id}/watch", response_class=EventSourceResponse)
async def watch_log(
    request: Request, actor: Officer, place: Annotated[Place, Depends(_place)]
) -> AsyncIterator[ServerSentEvent]:
    """New entries and checkpoints as they come, as server-sent events, until the token ends. An event's id is the next
    index: a client that comes back with Last-Event-ID misses nothing."""
    database = request.app.state.runtime.database
    quiet_seconds = 0.0
    going = True
    while going and not await request.is_disconnected():
        async with database.reading(context_of(request)) as tx:
            found = await watch.news(tx, place)
        for item in found:
            kind = "entry" if isinstance(item, NewEntry) else "checkpoint"
            yield ServerSentEvent(data=item, event=kind, id=_id_of(item, place))
        quiet_seconds = 0.0 if found else quiet_seconds + LOOK_AGAIN_SECONDS
        if quiet_seconds >= PING_SECONDS:
            yield ServerSentEvent(comment="still here")
            quiet_seconds = 0.0
        going = await wait(actor, 0 if found else LOOK_AGAIN_SECONDS)


def _id_of(item: object, place: Place) -> str:
    return str(item.index + 1 if isinstance(item, NewEntry) else max(place.entries.values()))
