"""The end of a client of aiokafka: whatever its state, it stops within seconds, and leaves no task behind that could
still send, or keep partitions that nobody reads.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

CLOSE_SECONDS_MAX = 3.0
ABANDON_SECONDS_MAX = 1.0


async def stop_for_good(client: Any) -> None:
    """Stop a client that may be broken already, or wait for a broker that is away; it is thrown away in any case.

    It stops in a task of its own: aiokafka's consumer may end its stop() with a CancelledError that nobody asked for.
    """
    stopping = asyncio.create_task(_farewell(client))
    stopping.add_done_callback(look_at)
    try:
        await asyncio.wait([stopping], timeout=CLOSE_SECONDS_MAX)
    finally:
        await _abandon(client, [stopping, *_tasks_of(client)])


async def _farewell(client: Any) -> None:
    """A producer's own stop() would go on flushing in a task that nobody can end; the rest of it is in _abandon."""
    if isinstance(client, AIOKafkaAdminClient):
        await client.close()
    elif isinstance(client, AIOKafkaProducer):
        await client.flush()
    else:
        await client.stop()


def _tasks_of(client: Any) -> list["asyncio.Task[Any]"]:
    """What a client does in the background, as far as its stop() left it: a forgotten sender would send when the broker
    is back, and a forgotten heartbeat would keep partitions that nobody reads."""
    holders = [getattr(client, name, None) for name in ("_sender", "_coordinator", "_fetcher")]
    names = (
        "_sender_task",
        "_coordination_task",
        "_heartbeat_task",
        "_commit_refresh_task",
        "_reset_committed_task",
        "_fetch_task",
    )
    tasks = [getattr(holder, name, None) for holder in holders for name in names]
    return [task for task in tasks if task is not None] + list(getattr(holders[-1], "_pending_tasks", ()))


async def _abandon(client: Any, tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """End a client's tasks, however they end, and cut its connections."""
    producing = isinstance(client, AIOKafkaProducer)
    for task in tasks:
        if producing:
            task.remove_done_callback(client._sender._fail_all)
        task.cancel()
    await (client.client if producing else client._client).close()
    await asyncio.wait(tasks, timeout=ABANDON_SECONDS_MAX)
    client._closed = True


def look_at(ended: "asyncio.Future[Any]") -> None:
    """That nobody asked for its error is no news."""
    if not ended.cancelled():
        ended.exception()
