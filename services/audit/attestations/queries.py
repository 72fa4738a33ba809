"""Reads of logs and of what is signed of them."""

from sqlalchemy import select

from services.audit.attestations.checkpoints import origin_of, verifier_of
from services.audit.attestations.schemas import LogView
from services.audit.attestations.tables import CHECKPOINT
from services.audit.settings import AuditSettings
from services.audit.trail.tables import HEAD
from shared.database import Transaction
from shared.errors import NotFound
from shared.listing import page_of


async def newest_checkpoint(tx: Transaction, log_id: str) -> tuple[int, str] | None:
    """Size and note of a log's newest checkpoint."""
    row = (
        await tx.session.execute(
            select(CHECKPOINT.c.size, CHECKPOINT.c.note)
            .where(CHECKPOINT.c.log_id == log_id)
            .order_by(CHECKPOINT.c.size.desc())
            .limit(1)
        )
    ).first()
    return (row.size, row.note) if row else None


async def list_logs(tx: Transaction, settings: AuditSettings, *, after: str | None, limit: int) -> list[LogView]:
    """Logs in the order of their names."""
    statement = select(HEAD.c.log_id, HEAD.c.size, HEAD.c.root)
    statement = page_of(statement, HEAD.c.log_id, after=after, limit=limit)
    rows = (await tx.session.execute(statement)).all()
    vkey = verifier_of(settings).vkey
    logs = []
    for log_id, size, root in rows:
        newest = await newest_checkpoint(tx, log_id)
        logs.append(
            LogView(
                log=log_id,
                origin=origin_of(settings, log_id),
                size=size,
                root=root.hex(),
                checkpoint_size=newest[0] if newest else 0,
                vkey=vkey,
            )
        )
    return logs


async def checkpoint_note(tx: Transaction, log_id: str) -> str:
    """The newest checkpoint of a log. Raises NotFound."""
    newest = await newest_checkpoint(tx, log_id)
    if newest is None:
        raise NotFound("log-not-found", "There is no such log here, or nothing of it is signed yet.")
    return newest[1]
