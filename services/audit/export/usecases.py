"""Order an export, keep what was made of it, and let the trail know: whoever takes a package out is named in it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, update

from services.audit.base import TABLES
from services.audit.export import queries, signed
from services.audit.export.domain import ExportStatus, Question, Subject, question_from
from services.audit.export.queries import Plan
from services.audit.export.schemas import ExportView
from services.audit.export.tables import EXPORT, EXPORT_PART
from shared.clock import system_now
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.events.audit import ExportCreated, ExportFetched
from shared.ids import new_id
from shared.jobs import JobEnded

KIND = "exports"
PART_BYTES = 256 * 1024
KEPT_DAYS = 7
FILES_AT_ONCE = 20


async def order_export(
    tx: Transaction, question: Question, as_of: Mapping[str, int] | None, *, correlation_id: str
) -> ExportView:
    """Note what is wanted, at fixed sizes of the logs; the worker makes the file. Raises what `queries.plan` does."""
    plan = await queries.plan(tx, question, as_of)
    export_id = await _insert(tx, plan, ExportStatus.REQUESTED, correlation_id=correlation_id)
    await TABLES.jobs.ask(tx, KIND, export_id, total=plan.entries)
    return await queries.get_export(tx, export_id)


async def _insert(tx: Transaction, plan: Plan, status: ExportStatus, *, correlation_id: str, **known: Any) -> UUID:
    export_id = new_id()
    row = {
        "id": export_id,
        "status": status,
        "question": plan.question.to_json(),
        "sizes": plan.sizes,
        "asked_by": str(tx.context.actor),
        "asked_at": system_now(),
        "made_at": plan.made_at,
        "correlation_id": correlation_id,
        "entries": plan.entries,
        **known,
    }
    await tx.session.execute(insert(EXPORT).values(row))
    await signed.keep(tx, [part.signed for part in plan.parts])
    return export_id


async def get_order(tx: Transaction, export_id: UUID) -> Any:
    """An export as it was ordered."""
    return (await tx.session.execute(select(EXPORT).where(EXPORT.c.id == export_id))).one()


async def keep_file(
    tx: Transaction, export_id: UUID, plan: Plan, file: IO[bytes], *, manifest_digest: str, file_sha256: str
) -> None:
    """Store a file that was made and publish that it was."""
    size, n = 0, 0
    file.seek(0)
    while data := file.read(PART_BYTES):
        await tx.session.execute(insert(EXPORT_PART).values(export_id=export_id, n=n, data=data))
        size, n = size + len(data), n + 1
    now = system_now()
    await tx.session.execute(
        update(EXPORT)
        .where(EXPORT.c.id == export_id)
        .values(
            status=ExportStatus.READY,
            manifest_digest=manifest_digest,
            file_sha256=file_sha256,
            file_bytes=size,
            ready_at=now,
            kept_until=now + timedelta(days=KEPT_DAYS),
        )
    )
    _publish(tx, export_id, plan, manifest_digest)


async def record_export(
    tx: Transaction, plan: Plan, *, manifest_digest: str, file_sha256: str, file_bytes: int
) -> UUID:
    """Note an export that was written to a file outside, and publish that it was. Returns its id."""
    export_id = await _insert(
        tx,
        plan,
        ExportStatus.READY,
        correlation_id=tx.context.correlation_id,
        manifest_digest=manifest_digest,
        file_sha256=file_sha256,
        file_bytes=file_bytes,
        ready_at=system_now(),
    )
    _publish(tx, export_id, plan, manifest_digest)
    return export_id


async def refuse(tx: Transaction, ended: JobEnded) -> None:
    """An order that cannot be filled or was cancelled, with the reason."""
    await tx.session.execute(
        update(EXPORT).where(EXPORT.c.id == ended.id).values(status=ExportStatus.FAILED, problem=ended.problem)
    )


async def is_any_expired(tx: Transaction) -> bool:
    """Whether the file of an export was kept long enough."""
    return await tx.session.scalar(_expired().limit(1)) is not None


def _expired() -> Select[UUID]:
    return select(EXPORT.c.id).where(EXPORT.c.kept_until < system_now()).order_by(EXPORT.c.kept_until)


async def drop_expired(tx: Transaction) -> int:
    """Remove the files that were kept long enough, one page of them; the orders stay. Returns how many."""
    over = (await tx.session.scalars(_expired().limit(FILES_AT_ONCE))).all()
    await tx.session.execute(delete(EXPORT_PART).where(EXPORT_PART.c.export_id.in_(over)))
    await tx.session.execute(update(EXPORT).where(EXPORT.c.id.in_(over)).values(kept_until=None))
    return len(over)


async def fetch_file(tx: Transaction, export_id: UUID) -> ExportView:
    """Note that somebody fetches a file, before its first byte leaves. Raises NotFound, Conflict until it is made."""
    export = await queries.get_export(tx, export_id)
    if export.status is not ExportStatus.READY:
        raise Conflict("export-not-ready", f"The export is {export.status}: read it again until it is READY.")
    if export.kept_until is None or export.kept_until < system_now():
        raise NotFound(
            "export-not-kept",
            "This file is deleted. Order the export again with its `sizes` as `as_of`: the bytes are the same.",
        )
    reading_id = new_id()
    event = ExportFetched(reading_id=reading_id, export_id=export_id, **_subject(question_from(export.question)))
    tx.publish_as(event, subject=reading_id, version=1, key=reading_id)
    return export


def _publish(tx: Transaction, export_id: UUID, plan: Plan, manifest_digest: str) -> None:
    event = ExportCreated(
        export_id=export_id,
        sizes=plan.sizes,
        entries=plan.entries,
        manifest_digest=manifest_digest,
        **_subject(plan.question),
        **_span(plan.question),
    )
    tx.publish_as(event, subject=export_id, version=1, key=export_id, lender_id=plan.lender)


def _subject(question: Question) -> dict[str, UUID]:
    return {f"{question.kind}_id": question.id} if isinstance(question, Subject) else {}


def _span(question: Question) -> dict[str, Any]:
    if isinstance(question, Subject):
        return {}
    return {"log": question.log, "first_index": question.start, "last_index": question.stop - 1}
