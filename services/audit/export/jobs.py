"""The job of an export makes the file that was ordered; a timer removes the files that were kept long enough."""

import asyncio
import hashlib
import tempfile

from services.audit.export import domain, queries, usecases
from services.audit.export.writing import write_export
from services.audit.settings import AuditSettings
from shared.auth import Role
from shared.due import in_pages
from shared.job_runner import Work
from shared.jobs import JobKind


async def make(work: Work) -> None:
    """Make the file of an order, and store it."""
    runtime = work.runtime
    runtime.database.storage.check_reserve()
    with tempfile.TemporaryFile() as file:
        async with work.reading() as tx:
            now, order = tx.now, await usecases.get_order(tx, work.id)
            plan = await queries.plan(tx, domain.question_from(order.question), order.sizes)
        await work.report(step="WRITING", total=plan.entries)
        settings = AuditSettings.of(runtime.settings)
        manifest_digest = await write_export(runtime.database, plan, file, settings, lambda done, _: work.reached(done))
        file.seek(0)
        file_sha256 = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()
        async with work.transaction(
            now, actor=work.asked_by, correlation_id=order.correlation_id, done=plan.entries, ends=True
        ) as tx:
            await usecases.keep_file(tx, work.id, plan, file, manifest_digest=manifest_digest, file_sha256=file_sha256)


EXPORTS = JobKind(
    name=usecases.KIND,
    work=make,
    given_up=usecases.refuse,
    roles=frozenset({Role.COMPLIANCE, Role.ADMIN}),
    broken="The export could not be made. Order it again; if it fails again, look into the worker's log.",
)


drop_expired = in_pages(usecases.is_any_expired, usecases.drop_expired)
"""Removes the files whose days are over."""
