"""Streams of server-sent events: how long one may go on."""

import asyncio

from shared.auth import Actor
from shared.clock import system_now


async def wait(actor: Actor, seconds: float) -> bool:
    """Wait, at most until the end of the actor's token. False when the token has ended: then its stream ends, too."""
    left = actor.token_ends_at - system_now().timestamp()
    await asyncio.sleep(max(0.0, min(seconds, left)))
    return left > seconds
