"""The worker's part of exports: makes the files that were ordered, and lets go of those that were kept long enough."""

import asyncio
import hashlib
import tempfile

from services.audit.export import domain, queries, usecases
from services.audit.export.writing import write_export
from services.audit.settings import AuditSettings
from shared.database import AWAY, Context
from shared.errors import DomainError
from shared.events.envelope import ActorRef
from shared.runtime import Runtime


async def make_next_export(runtime: Runtime) -> int:
    """Make the oldest export that was ordered. Returns 1, or 0 where none waits."""
    async with runtime.database.reading() as tx:
        order = await usecases.next_order(tx)
    if order is None:
        return 0
    runtime.database.storage.check_reserve()
    context = Context(actor=ActorRef.parse(order.asked_by), correlation_id=order.correlation_id)
    settings = AuditSettings.of(runtime.settings)
    with tempfile.TemporaryFile() as file:
        try:
            async with runtime.database.reading() as tx:
                now = await runtime.clock.now(tx)
                plan = await queries.plan(tx, domain.question_from(order.question), order.sizes)
            manifest_digest = await write_export(runtime.database, plan, file, settings)
        except AWAY:
            raise  # infrastructure: wait and come again, the order is not at fault
        except DomainError as error:
            async with runtime.database.transaction(context) as tx:
                await usecases.refuse(tx, order.id, error)
            return 1
        file.seek(0)
        file_sha256 = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()
        async with runtime.database.transaction(context, now) as tx:
            await usecases.keep_file(tx, order.id, plan, file, manifest_digest=manifest_digest, file_sha256=file_sha256)
    return 1


async def drop_expired(runtime: Runtime) -> int:
    """Remove the files whose days are over."""
    async with runtime.database.reading() as tx:
        if not await usecases.expired(tx):
            return 0
    async with runtime.database.transaction() as tx:
        return await usecases.drop_expired(tx)
