"""The worker of a service: its relay, its consumer and its timers, each a loop, ended together.

If one loop dies of an unexpected error the whole worker ends, so that whoever runs it starts it anew.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from shared.bus.relay import BACK_OFF_SECONDS_MAX, Relay
from shared.errors import DomainError
from shared.runtime import Runtime, Timer
from shared.telemetry import Log, Throttled

LOOK_AGAIN_SECONDS = 1.0
DRAIN_SECONDS_MAX = 5.0
CANCEL_SECONDS_MAX = 4.0
WAKE_CHANNEL = "doorstep_wake"

_log = Log("worker")

Loop = Callable[[], Coroutine[None, None, None]]


class Worker:
    """Runs until stopped. `loops` are further loops that a service brings along; who takes one of `under_way` and keeps
    it drains such a loop. `last` is done when all is drained."""

    def __init__(
        self, runtime: Runtime, *loops: Loop, under_way: Sequence[asyncio.Lock] = (), last: Loop | None = None
    ) -> None:
        service = runtime.service
        self.runtime = runtime
        relay = Relay(runtime.database, service.tables.bus, runtime.transport, wake=runtime.events_waiting)
        self._under_way = [relay.under_way, *under_way]
        self._last = last
        self.loops: list[Loop] = [relay.run, *loops]
        self.loops += [self._timer_loop(timer) for timer in service.all_timers]
        if service.handles:
            consumer = runtime.consumer()
            runtime.watchdogs.append(consumer.watchdog)
            self.loops.append(consumer.run)
            self._under_way.append(consumer.under_way)
        if not runtime.database.is_sqlite:
            self.loops.append(self._listen)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let the wave, the batch and the timers that are under way finish."""
        tasks = [asyncio.create_task(loop()) for loop in self.loops]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # raises what ended the loop
            await self._drain()
            if self._last is not None:
                await self._last()
        finally:
            for task in [*tasks, stopping]:
                task.cancel()
            await asyncio.wait([*tasks, stopping], timeout=CANCEL_SECONDS_MAX)

    async def _drain(self) -> None:
        """Wait for what is under way, but not for ever; nothing new is begun meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                await asyncio.gather(*(work.acquire() for work in self._under_way))

    def _timer_loop(self, timer: Timer) -> Loop:
        wake = self.runtime.work_waiting()
        under_way = asyncio.Lock()
        trouble = Throttled(_log)
        self._under_way.append(under_way)

        async def loop() -> None:
            back_off_seconds, begun = LOOK_AGAIN_SECONDS, False
            while True:
                try:
                    async with under_way:
                        begun = begun or await self._begin(timer)
                        await self._run_due(timer)
                    back_off_seconds = LOOK_AGAIN_SECONDS
                except (DBAPIError, DomainError, OSError) as error:
                    trouble.warning("timer failed, trying again", job=timer.name, reason=type(error).__name__)
                    await asyncio.sleep(back_off_seconds)
                    back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), LOOK_AGAIN_SECONDS)
                wake.clear()

        return loop

    async def _begin(self, timer: Timer) -> bool:
        """Free the jobs that a worker before left in the middle. SQLite has one worker at a time; on PostgreSQL the
        worker may still be at it, so its claim must end first."""
        database = self.runtime.database
        if timer.job is not None and database.is_sqlite:
            async with database.transaction() as tx:
                await self.runtime.service.tables.jobs.free_all(tx, timer.job.name)
        return True

    async def _run_due(self, timer: Timer) -> None:
        """Run a timer until nothing is due at this business time."""
        runtime = self.runtime
        async with runtime.database.reading() as tx:
            tx.now = await runtime.clock.now(tx)
            behind = await runtime.clock.timers_behind(tx, frozenset({timer.name})) if runtime.clock.simulated else []
            now = tx.now
        while await timer.run(runtime):
            await asyncio.sleep(0)
        if behind:
            async with runtime.database.transaction() as tx:
                if timer.job is None or not await runtime.service.tables.jobs.is_any_open(tx, timer.job.name):
                    await runtime.clock.timer_ran(tx, timer.name, now)

    async def _listen(self) -> None:
        """Wake up when another process of the service has committed something (PostgreSQL's NOTIFY)."""
        url = make_url(self.runtime.database.url).set(drivername="postgresql")
        while True:
            try:
                connection = await asyncpg.connect(url.render_as_string(hide_password=False))
                try:
                    await connection.add_listener(WAKE_CHANNEL, self._wake)
                    self._wake()
                    while not connection.is_closed():
                        await asyncio.sleep(LOOK_AGAIN_SECONDS)
                finally:
                    await connection.close()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def _wake(self, *_notification: object) -> None:
        self.runtime.events_waiting.set()
        self.runtime.wake_timers()


class Notifier:
    """Tells the worker's process of a commit in this one, debounced and outside the writing transaction: a NOTIFY
    inside it would make all commits queue."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._wake = asyncio.Event()
        runtime.database.on_events(self._wake.set)
        runtime.database.on_work(self._wake.set)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(DBAPIError, OSError):
                async with self._runtime.database.engine.connect() as connection:
                    await connection.execute(text(f"SELECT pg_notify('{WAKE_CHANNEL}', '')"))
                    await connection.commit()
            await asyncio.sleep(0.001)
