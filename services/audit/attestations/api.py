"""Routes of the logs and their newest checkpoints."""

from typing import Annotated

from fastapi import Request, Response

from services.audit.attestations import queries
from services.audit.attestations.schemas import LogView
from services.audit.settings import AuditSettings
from shared.auth import Actor, Role, allow
from shared.web import LongPaging, Page, ReadTx, room

router = room("audit", tag="attestations")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]


@router.get("/logs")
async def list_logs(request: Request, _actor: Officer, tx: ReadTx, page: LongPaging) -> Page[LogView]:
    """The logs by name, each with its size and root, and the key that its checkpoints verify under."""
    settings = AuditSettings.of(request.app.state.runtime.settings)
    items = await queries.list_logs(tx, settings, after=page.after(str), limit=page.fetch)
    return page.of(items, key=lambda item: item.log)


@router.get("/logs/{log_id}/checkpoint", response_class=Response)
async def get_checkpoint(log_id: str, _actor: Officer, tx: ReadTx) -> Response:
    """The newest checkpoint, a C2SP signed note."""
    note = await queries.checkpoint_note(tx, log_id)
    return Response(note, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})
