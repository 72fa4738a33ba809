"""The scheduled verification: soon after the start, then at every interval, the whole trail is derived again in a
process of its own. Its one rule: what it finds is stored, told in the log and as a metric; it stops nobody."""

import asyncio
import contextlib
import json
from datetime import timedelta

from sqlalchemy import delete, insert, select

from services.audit.attestations.checkpoints import verifier_of
from services.audit.settings import AuditSettings
from services.audit.verification.copies import copies_to_check
from services.audit.verification.domain import Verification
from services.audit.verification.queries import last_verification
from services.audit.verification.schemas import VerificationView
from services.audit.verification.tables import KEPT_MAX, VERIFICATION
from services.audit.verification.workers import ProcessDied, verify_in_process
from shared.bus.lease import LEASE_SECONDS, Lease
from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY
from shared.ids import new_id
from shared.runtime import Runtime
from shared.telemetry import TRAIL_PROBLEMS, TRAIL_VERIFIED_AT, TRAIL_VERIFY_SECONDS, Log

START_AFTER_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 30.0

_log = Log("verification")


class ScheduledVerification:
    """Of several workers one verifies, by a lease."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._settings = AuditSettings.of(runtime.settings)
        self._lease = Lease(runtime.database, runtime.service.tables.bus.lease, "verification")
        self._interval = timedelta(hours=self._settings.trail_verify_hours)
        self._started_at = system_now()

    async def run(self) -> None:
        """Verify for ever."""
        await asyncio.sleep(START_AFTER_SECONDS)
        while True:
            with contextlib.suppress(*AWAY):
                if await self._is_due() and await self._lease.take():
                    await self.verify_once()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _is_due(self) -> bool:
        """Since this process started nobody has, or the last time is an interval ago."""
        async with self._database.reading() as tx:
            last = await last_verification(tx)
        if last is None:
            return True
        _tell(last)
        return last.started_at < max(self._started_at, system_now() - self._interval)

    async def verify_once(self) -> VerificationView:
        """Derive everything again, and keep what came of it."""
        started_at, began = system_now(), monotonic_seconds()
        work = asyncio.create_task(self._verify())
        try:
            while not work.done():
                await asyncio.wait([work], timeout=LEASE_SECONDS / 4)
                await self._lease.holds()
        finally:
            work.cancel()
        found, error = work.result()
        view = VerificationView(
            started_at=started_at,
            seconds=round(monotonic_seconds() - began, 3),
            ok=error is None and found.ok,
            error=error,
            **{"logs": found.to_json()["logs"]},
        )
        await self._keep(view)
        _tell(view)
        for log in view.logs:
            for problem in log.problems:
                _log.error("the trail is not what it was", log=log.log, offset=problem.index, reason=problem.kind)
        if error:
            _log.error("the trail could not be verified", reason=error)
        return view

    async def _verify(self) -> tuple[Verification, str | None]:
        settings = self._settings
        try:
            found = await verify_in_process(
                settings.database_url_of("audit"),
                vkeys=[verifier_of(settings).vkey],
                origin=settings.trail_origin,
                processes=settings.trail_verify_processes,
                **await asyncio.to_thread(copies_to_check, settings),
            )
        except (ProcessDied, OSError, UnicodeDecodeError) as error:
            return Verification([]), str(error)
        return found, None

    async def _keep(self, view: VerificationView) -> None:
        found = view.model_dump(mode="json", include={"logs", "error"})
        async with self._database.transaction() as tx:
            row = {"id": new_id(), "started_at": view.started_at, "seconds": view.seconds, "ok": view.ok}
            await tx.session.execute(insert(VERIFICATION).values(**row, found=json.dumps(found)))
            newest = select(VERIFICATION.c.id).order_by(VERIFICATION.c.id.desc()).limit(KEPT_MAX)
            await tx.session.execute(delete(VERIFICATION).where(VERIFICATION.c.id.not_in(newest)))


def _tell(view: VerificationView) -> None:
    """As metrics, whichever process verified."""
    TRAIL_VERIFY_SECONDS.set(view.seconds)
    TRAIL_PROBLEMS.set(sum(len(log.problems) for log in view.logs) or int(not view.ok))
    if view.ok:
        TRAIL_VERIFIED_AT.set(view.started_at.timestamp())
