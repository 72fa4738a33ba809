"""How far a member has come, told to the broker now and then. The positions that count are in the database, moved with
the effects; what was handled and not told yet is delivered again after a restart, and passed over.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from shared.bus.transport import Partition, StaleMember, Subscription, TransportClosed, TransportDown
from shared.clock import monotonic_seconds

TELL_EVERY_SECONDS = 1.0
LAST_WORD_SECONDS_MAX = 2.0


class Reports:
    """What one member told last, and what it has to tell."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._reached: dict[Partition, int] = {}
        self._told: dict[Partition, int] = {}
        self._told_at = 0.0

    async def reached(self, offsets: Mapping[Partition, int]) -> None:
        """Note the next offset of each partition; tell it if the last time is long enough ago."""
        self._reached.update(offsets)
        if monotonic_seconds() - self._told_at >= TELL_EVERY_SECONDS:
            await self._tell()

    async def last_word(self) -> None:
        """Tell what is untold, unless the broker does not listen any more."""
        with contextlib.suppress(TransportDown, TransportClosed, TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS_MAX):
                await self._tell()

    async def _tell(self) -> None:
        """Tell what is new of the partitions that are ours. While they are dealt out anew nobody can: then what was
        handled is forgotten here, and read again by whoever gets it."""
        assigned = self._subscription.assigned
        self._reached = {place: offset for place, offset in self._reached.items() if place in assigned}
        news = dict(self._reached.items() - self._told.items())
        if not news:
            return
        try:
            await self._subscription.commit(news)
            self._told = dict(self._reached)
        except StaleMember:
            self._reached.clear()
            self._told.clear()
        self._told_at = monotonic_seconds()
