"""The job that derives the whole trail again, in a process of its own, and the schedule that asks for it: soon after
the start of a worker, then at every interval. What it finds is stored, logged and shown as a metric; it stops nothing.
"""

import asyncio
import contextlib
import json
from datetime import timedelta

from sqlalchemy import delete, insert, select

from services.audit.attestations.checkpoints import verifier_of
from services.audit.base import TABLES
from services.audit.settings import AuditSettings
from services.audit.verification.copies import copies_to_check
from services.audit.verification.domain import Verification
from services.audit.verification.queries import last_verification
from services.audit.verification.schemas import VerificationView
from services.audit.verification.tables import KEPT_MAX, VERIFICATION
from services.audit.verification.workers import ProcessDied, verify_in_process
from shared.auth import Role
from shared.clock import monotonic_seconds, system_now
from shared.database import AWAY, Transaction
from shared.ids import new_id
from shared.job_runner import Work
from shared.jobs import JobEnded, JobKind, JobStatus, Outcome
from shared.runtime import Runtime
from shared.telemetry import TRAIL_PROBLEMS, TRAIL_VERIFIED_AT, TRAIL_VERIFY_SECONDS, Log

KIND = "verification"
START_AFTER_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 30.0

_log = Log("verification")


class NotVerified(Exception):
    """The verification came to no end; the message says why."""


async def verify(work: Work) -> None:
    """Derive everything again, and store what came of it. Raises NotVerified."""
    started_at, began = system_now(), monotonic_seconds()
    await work.report(step="VERIFYING")
    found = await _verified(AuditSettings.of(work.runtime.settings))
    view = VerificationView(
        started_at=started_at,
        seconds=round(monotonic_seconds() - began, 3),
        ok=found.ok,
        error=None,
        logs=found.to_json()["logs"],
    )
    async with work.transaction(done=len(view.logs), total=len(view.logs), ends=True) as tx:
        await _store(tx, work, view)
    _show(view)
    for log in view.logs:
        for problem in log.problems:
            _log.error("the trail is not what it was", log=log.log, offset=problem.index, reason=problem.kind)


async def _verified(settings: AuditSettings) -> Verification:
    try:
        return await verify_in_process(
            settings.database_url_of("audit"),
            vkeys=[verifier_of(settings).vkey],
            origin=settings.trail_origin,
            processes=settings.trail_verify_processes,
            **await asyncio.to_thread(copies_to_check, settings),
        )
    except (ProcessDied, OSError, UnicodeDecodeError) as error:
        raise NotVerified(str(error)) from error


async def _store(tx: Transaction, work: Work, view: VerificationView) -> None:
    """What was found, and each problem as an outcome of the job."""
    await _insert(tx, work.id, view)
    problems = [(log.log, problem) for log in view.logs for problem in log.problems]
    outcomes = [
        Outcome(number, problem.index, log, problem.kind, problem.detail)
        for number, (log, problem) in enumerate(problems)
    ]
    await TABLES.jobs.note(tx, work.id, outcomes)
    await TABLES.jobs.keep_newest(tx, KIND, KEPT_MAX)


async def _insert(tx: Transaction, job_id: object, view: VerificationView) -> None:
    found = view.model_dump(mode="json", include={"logs", "error"})
    row = {"id": job_id, "started_at": view.started_at, "seconds": view.seconds, "ok": view.ok}
    await tx.session.execute(insert(VERIFICATION).values(**row, found=json.dumps(found)))
    newest = select(VERIFICATION.c.id).order_by(VERIFICATION.c.id.desc()).limit(KEPT_MAX)
    await tx.session.execute(delete(VERIFICATION).where(VERIFICATION.c.id.not_in(newest)))


async def _fail(tx: Transaction, ended: JobEnded) -> None:
    """A verification that failed is shown as one; one that was cancelled found nothing."""
    if ended.status is JobStatus.CANCELLED:
        return
    job, now = await TABLES.jobs.get(tx, ended.id), system_now()
    started_at = job.started_at or now
    seconds = round((now - started_at).total_seconds(), 3)
    view = VerificationView(started_at=started_at, seconds=seconds, ok=False, logs=[], error=ended.problem)
    await _insert(tx, ended.id, view)
    _show(view)
    _log.error("the trail could not be verified", reason=ended.problem)


VERIFICATIONS = JobKind(
    name=KIND,
    work=verify,
    given_up=_fail,
    roles=frozenset({Role.COMPLIANCE, Role.ADMIN}),
    expected=(NotVerified,),
    broken="The trail could not be verified. Run `doorstep trail verify`, and look into the worker's log.",
    awaited=False,
)


class Schedule:
    """Asks for the verifications. Two workers that start at the same moment may ask for two."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._interval = timedelta(hours=AuditSettings.of(runtime.settings).trail_verify_hours)
        self._started_at = system_now()

    async def run(self) -> None:
        """Look for ever whether a verification is due."""
        await asyncio.sleep(START_AFTER_SECONDS)
        while True:
            with contextlib.suppress(*AWAY):
                await self.ask_if_due()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def ask_if_due(self) -> bool:
        """Ask for a verification where none was asked for since this process started, or for an interval. Returns
        whether it did."""
        async with self._database.reading() as tx:
            last = await last_verification(tx)
            newest = await TABLES.jobs.page(tx, [KIND], status=None, after=None, limit=1)
        if last is not None:
            _show(last)
        if newest and newest[0].asked_at >= max(self._started_at, system_now() - self._interval):
            return False
        if newest and newest[0].ended_at is None:
            return False
        async with self._database.transaction() as tx:
            await TABLES.jobs.ask(tx, KIND, new_id())
        return True


def _show(view: VerificationView) -> None:
    """As metrics, whichever process verified."""
    TRAIL_VERIFY_SECONDS.set(view.seconds)
    TRAIL_PROBLEMS.set(sum(len(log.problems) for log in view.logs) or int(not view.ok))
    if view.ok:
        TRAIL_VERIFIED_AT.set(view.started_at.timestamp())
