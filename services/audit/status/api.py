"""Routes of the trail's state, and of new entries."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.audit.status import queries, watch
from services.audit.status.schemas import TrailStatus
from shared.auth import Actor, Role, allow
from shared.web import ReadTx, context_of, room
from shared.web.streams import LastEventId, Reading, follow

router = room("audit", tag="status")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]


@router.get("/trail/status")
async def get_status(request: Request, _actor: Officer, tx: ReadTx) -> TrailStatus:
    """The state of each log: checkpoint, witnesses, time stamp, copy; and what a person should look at."""
    return await queries.trail_status(request.app.state.runtime, tx)


async def _watched(
    log_id: str,
    request: Request,
    _actor: Officer,
    last: LastEventId,
    start: Annotated[int | None, Query(alias="from", ge=0, le=2**53, description="an index; default: now")] = None,
) -> Reading:
    """Found before the stream begins, so that what is wrong is answered as a problem."""
    async with request.app.state.runtime.database.transaction(context_of(request)) as tx:
        place = await watch.begin(tx, {log_id: start if last is None else last})
    return Reading(partial(watch.log_after, log_id, place), place.entries[log_id])


@router.get("/logs/{log_id}/watch", response_class=EventSourceResponse)
async def watch_log(
    request: Request, actor: Officer, reading: Annotated[Reading, Depends(_watched)]
) -> AsyncIterator[ServerSentEvent]:
    """New entries and checkpoints as they come, as server-sent events, until the token ends. An event's id is the next
    index: a client that comes back with Last-Event-ID misses nothing, and gets the newest checkpoint again."""
    async for event in follow(request, actor, reading):
        yield event
