"""The watchdog: notices a consumer that does not get on although events wait, and has it made again.

Kafka's clients can fall silent without an error. What counts is the stored position: if it stands still for half a
minute while the bus goes on, the member is replaced; after a minute the process is no longer ready.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from shared.bus import parking
from shared.bus.tables import BusTables
from shared.bus.transport import Partition, Transport, TransportDown
from shared.clock import monotonic_seconds
from shared.database import AWAY, Database, Transaction
from shared.telemetry import CONSUMER_LAG, CONSUMER_PROGRESS_AGE, PARKED_KEYS

LOOK_EVERY_SECONDS = 5.0
SILENT_SECONDS = 30.0
NOT_READY_SECONDS = 60.0

Positions = Callable[[Transaction, BusTables, str], Awaitable[dict[Partition, int]]]


def lag_of(ends: Mapping[Partition, int], reached: Mapping[Partition, int]) -> tuple[int, int]:
    """How many events wait; and how many were handled that the bus does not have: never added up with each other."""
    differences = [end - reached.get(place, 0) for place, end in ends.items()]
    return sum(each for each in differences if each > 0), -sum(each for each in differences if each < 0)


class Silent(Exception):
    """The consumer made no progress for too long while events were waiting."""


class Watchdog:
    """Looks at one consumer's positions; feeds its metrics on the way."""

    def __init__(
        self,
        consumer: str,
        database: Database,
        tables: BusTables,
        transport: Transport,
        topics: Sequence[str],
        positions: Positions,
    ) -> None:
        self._consumer = consumer
        self._database = database
        self._tables = tables
        self._transport = transport
        self._topics = topics
        self._positions = positions
        self._reached = -1
        self._moved_at = monotonic_seconds()
        self._renewed_at = self._moved_at
        self.halted = False  # whether the consumer takes nothing more until a person has looked

    @property
    def stalled_seconds(self) -> float:
        """Since the consumer last got on, or had nothing to do."""
        return monotonic_seconds() - self._moved_at

    async def over(self, consume: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a consumer until it ends by itself. Raises Silent where it stopped getting on."""
        self._renewed_at = monotonic_seconds()
        consuming, watching = asyncio.create_task(consume()), asyncio.create_task(self._watch())
        try:
            done, _ = await asyncio.wait([consuming, watching], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (consuming, watching):
                task.cancel()
            await asyncio.wait([consuming, watching])

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            with contextlib.suppress(TransportDown, *AWAY):
                await self.look()
            if self.stalled_seconds > SILENT_SECONDS < monotonic_seconds() - self._renewed_at:
                raise Silent

    async def look(self) -> None:
        """Compare what was handled with what is there."""
        async with self._database.reading() as tx:
            reached = await self._positions(tx, self._tables, self._consumer)
            parked = await parking.keys_of(tx, self._tables, self._consumer, parking.Choice())
        ends = await self._transport.ends(self._topics)
        lag, beyond = lag_of(ends, reached)
        if (lag == 0 and not beyond) or sum(reached.values()) != self._reached:
            self._moved_at = monotonic_seconds()
        self._reached = sum(reached.values())
        CONSUMER_LAG.labels(self._consumer).set(lag)
        CONSUMER_PROGRESS_AGE.labels(self._consumer).set(self.stalled_seconds)
        PARKED_KEYS.labels(self._consumer).set(len(parked))
