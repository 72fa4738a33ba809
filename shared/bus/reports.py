"""How far a member has come, told to the broker now and then. The positions that count are in the database, moved with
the effects; what was handled and not told yet is delivered again after a restart, and passed over.
"""

from collections.abc import Mapping

from shared.bus.transport import Partition, Subscription
from shared.clock import monotonic_seconds

TELL_EVERY_SECONDS = 1.0


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
        if self._reached != self._told and monotonic_seconds() - self._told_at >= TELL_EVERY_SECONDS:
            await self.tell()

    async def tell(self) -> None:
        """Tell what is new. A partition that another member has by now is that one's to tell."""
        mine = self._subscription.assigned
        news = {
            place: offset
            for place, offset in self._reached.items()
            if place in mine and offset != self._told.get(place)
        }
        if news:
            await self._subscription.commit(news)
        self._told = dict(self._reached)
        self._told_at = monotonic_seconds()
