"""The publisher: from a committed head to a published checkpoint. It signs what was committed, never before, and runs
beside the sequencer, which only wakes it: what is slow here never slows sequencing.
"""

import asyncio
import contextlib
from collections.abc import Callable

from services.audit.settings import AuditSettings
from services.audit.trail.checkpoints import Head, sign_head, signer_of, store_checkpoint, unpublished_heads
from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY
from shared.runtime import Runtime
from shared.telemetry import TRAIL_UNPUBLISHED_SECONDS, Log, Throttled

CHECKPOINT_SECONDS_MIN = 0.2
LOOK_AGAIN_SECONDS = 1.0

_log = Log("publisher")


class Publisher:
    """Publishes checkpoints while `leads` says that this process is the one to do it."""

    def __init__(self, runtime: Runtime, leads: Callable[[], bool]) -> None:
        self._database = runtime.database
        self._settings = AuditSettings.of(runtime.settings)
        self._signer = signer_of(self._settings)
        self._leads = leads
        self._grown = asyncio.Event()
        self._waiting_since: dict[str, float] = {}
        self._trouble = Throttled(_log)

    def wake(self) -> None:
        """A log has grown, and that is committed."""
        self._grown.set()

    async def run(self) -> None:
        """Publish for ever, each log at most five times a second; what a crash left unpublished comes first."""
        while True:
            if self._leads():
                try:
                    await self.publish_once()
                except AWAY as error:
                    self._trouble.warning("database away", job="publisher", reason=type(error).__name__)
            await asyncio.sleep(CHECKPOINT_SECONDS_MIN)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._grown.wait(), LOOK_AGAIN_SECONDS)
            self._grown.clear()

    async def publish_once(self) -> int:
        """Publish a checkpoint of each log that has grown. Returns how many."""
        async with self._database.reading() as tx:
            heads = await unpublished_heads(tx)
        notes = {head: sign_head(head, self._signer, self._settings) for head in heads}
        if notes:
            async with self._database.transaction() as tx:
                for head, note in notes.items():
                    await store_checkpoint(tx, head, note, system_now())
        self._watch([head for head in heads if head not in notes])
        return len(notes)

    def _watch(self, waiting: list[Head]) -> None:
        """Tell for how long the log that waits longest has waited."""
        now = monotonic_seconds()
        self._waiting_since = {head.log_id: self._waiting_since.get(head.log_id, now) for head in waiting}
        TRAIL_UNPUBLISHED_SECONDS.set(now - min(self._waiting_since.values(), default=now))
