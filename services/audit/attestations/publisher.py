"""The publisher: from a committed head to a published checkpoint. It signs what was committed, never before, has it
witnessed and stamped, and does so beside the sequencer, which only wakes it: what is slow here never slows sequencing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from services.audit.attestations.checkpoints import (
    Head,
    origin_of,
    sign_head,
    signer_of,
    store_checkpoint,
    unpublished_heads,
)
from services.audit.attestations.copies import CheckpointFolder
from services.audit.attestations.timestamps import Stamper, StampInvalid, authority_of
from services.audit.attestations.witness import REASONS, Prove, Witnessing
from services.audit.attestations.witness_policy import policy_of
from services.audit.settings import AuditSettings
from services.audit.tlog.merkle import consistency_proof, consistency_ranges
from services.audit.trail.storage import hashes_for
from shared.bus.relay import BACK_OFF_SECONDS_MAX
from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY
from shared.runtime import Runtime
from shared.telemetry import (
    CHECKPOINT_COPIES_FAILED,
    TRAIL_UNPUBLISHED_SECONDS,
    WITNESS_ANSWERS,
    WITNESS_QUORUM_MISSED,
    Log,
    Throttled,
)

CHECKPOINT_SECONDS_MIN = 0.2
LOOK_AGAIN_SECONDS = 1.0
STAMP_SECONDS = 5.0
LOGS_AT_ONCE_MAX = 16
LAST_WORD_SECONDS_MAX = 8.0

_log = Log("publisher")


class Publisher:
    """Publishes checkpoints while `leads` says that this process is the one to do it."""

    def __init__(self, runtime: Runtime, leads: Callable[[], bool]) -> None:
        self._database = runtime.database
        self._settings = settings = AuditSettings.of(runtime.settings)
        self._signer = signer_of(settings)
        policy = policy_of(settings)
        self._witnessing = Witnessing(policy, settings.witness_timeout_seconds) if policy else None
        authority = authority_of(settings)
        self._stamper = Stamper(runtime.database, authority) if authority and settings.tsa_url else None
        self._folder = CheckpointFolder(settings.checkpoint_folder)
        self._leads = leads
        self._asking = asyncio.Semaphore(LOGS_AT_ONCE_MAX)
        self._grown = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._waiting_since: dict[str, float] = {}
        self._trouble = Throttled(_log)

    def wake(self) -> None:
        """A log has grown, and that is committed."""
        self._grown.set()

    async def run(self) -> None:
        """Publish for ever, each log at most five times a second; what a crash left unpublished comes first."""
        stamping = asyncio.create_task(self._stamp())
        back_off_seconds = 0.1
        try:
            while True:
                began = monotonic_seconds()
                if self._leads():
                    try:
                        await self.publish_once()
                        back_off_seconds = 0.1
                    except AWAY as error:
                        self._trouble.warning("database away", job="publisher", reason=type(error).__name__)
                        await asyncio.sleep(back_off_seconds)
                        back_off_seconds = min(back_off_seconds * 2, BACK_OFF_SECONDS_MAX)
                await asyncio.sleep(max(0.0, began + CHECKPOINT_SECONDS_MIN - monotonic_seconds()))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._grown.wait(), LOOK_AGAIN_SECONDS)
                self._grown.clear()
        finally:
            stamping.cancel()
            await self.close()

    async def last_word(self) -> None:
        """Sign the last entries when the process stops; what cannot be signed in time is signed at the next start."""
        if not self._leads():
            return
        try:
            async with asyncio.timeout(LAST_WORD_SECONDS_MAX):
                await self.publish_once()
        except (TimeoutError, OSError, *AWAY) as error:
            self._trouble.warning("the last entries are not signed", reason=type(error).__name__)

    async def close(self) -> None:
        """Hang up on witnesses and authority."""
        for remote in (self._witnessing, self._stamper):
            if remote is not None:
                await remote.close()

    async def publish_once(self) -> int:
        """Publish a checkpoint of each log that has grown. Returns how many."""
        async with self._publishing:
            return await self._publish()

    async def _publish(self) -> int:
        now = system_now()  # a checkpoint bears the time at which its head was read
        async with self._database.reading() as tx:
            heads = await unpublished_heads(tx)
        signed = await asyncio.gather(*(self._signed(head) for head in heads))
        notes = {head: note for head, note in zip(heads, signed, strict=True) if note is not None}
        if notes:
            async with self._database.transaction() as tx:
                for head, note in notes.items():
                    await store_checkpoint(tx, head, note, now)
        for head, note in notes.items():
            await self._copy(head, note)
        self._watch([head for head in heads if head not in notes])
        return len(notes)

    async def _signed(self, head: Head) -> str | None:
        """The checkpoint of a head, cosigned if there are witnesses. None while it must not be published."""
        note = sign_head(head, self._signer, self._settings)
        if self._witnessing is None:
            return note
        origin = origin_of(self._settings, head.log_id)
        async with self._asking:
            found = await self._witnessing.cosign(note, origin, head.size, self.prover(head))
        WITNESS_ANSWERS.labels("cosigned").inc(len(self._witnessing.policy.witnesses) - len(found.refused))
        for name, refused in found.refused.items():
            WITNESS_ANSWERS.labels(refused.reason).inc()
            told = f"witness {name}: {REASONS[refused.reason]}"
            self._trouble.warning(told, log=head.log_id, size=head.size, reason=str(refused))
        if found.enough:
            return found.note
        WITNESS_QUORUM_MISSED.inc()
        return found.note if self._settings.witness_fail == "open" else None

    def prover(self, head: Head) -> Prove:
        """Gives the proof that a head grew out of an older size."""

        async def prove(old: int) -> Sequence[bytes]:
            async with self._database.reading() as tx:
                get = await hashes_for(tx, head.log_id, head.size, consistency_ranges(old, head.size))
            return consistency_proof(old, head.size, get)

        return prove

    async def _copy(self, head: Head, note: str) -> None:
        try:
            await asyncio.to_thread(self._folder.write, head.log_id, head.size, note, system_now())
        except OSError as error:
            CHECKPOINT_COPIES_FAILED.inc()
            self._trouble.warning("a checkpoint was not copied", log=head.log_id, reason=str(error.strerror or error))

    async def _stamp(self) -> None:
        """Have kept checkpoints stamped, as they fall due."""
        while self._stamper is not None:
            if self._leads():
                try:
                    await self._stamper.stamp_due(system_now())
                except StampInvalid as invalid:
                    self._trouble.warning("no time stamp", reason=str(invalid))
                except AWAY as error:
                    self._trouble.warning("database away", job="stamper", reason=type(error).__name__)
            await asyncio.sleep(STAMP_SECONDS)

    def _watch(self, waiting: list[Head]) -> None:
        """Tell for how long the log that waits longest has waited."""
        now = monotonic_seconds()
        self._waiting_since = {head.log_id: self._waiting_since.get(head.log_id, now) for head in waiting}
        TRAIL_UNPUBLISHED_SECONDS.set(now - min(self._waiting_since.values(), default=now))
