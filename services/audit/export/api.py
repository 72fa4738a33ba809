"""Routes of exports: order one, look whether it is made, fetch its file."""

import asyncio
import tempfile
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from services.audit.export import queries, usecases
from services.audit.export.package import FILE_BYTES_MAX
from services.audit.export.schemas import ExportBody, ExportView, VerificationView
from services.audit.settings import AuditSettings
from shared.auth import Actor, Role, allow
from shared.errors import Invalid, TooLarge
from shared.web import Page, Paging, ReadTx, Tx, file_body, room

router = room("audit", tag="export")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]


@router.post("/exports", status_code=202)
async def order_export(body: ExportBody, request: Request, response: Response, _actor: Officer, tx: Tx) -> ExportView:
    """Order a package for a court or a regulator; it is made in the background: poll the Location. The trail keeps
    that it was made, by whom, and the digest of its manifest."""
    request.app.state.runtime.database.storage.check_reserve()
    export = await usecases.order_export(tx, body.question(), body.as_of, correlation_id=request.state.correlation_id)
    response.headers["Location"] = f"/audit/v1/exports/{export.id}"
    return export


@router.get("/exports")
async def list_exports(_actor: Officer, tx: ReadTx, page: Paging) -> Page[ExportView]:
    """Exports, the newest first."""
    items = await queries.list_exports(tx, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/exports/{export_id}")
async def get_export(export_id: UUID, _actor: Officer, tx: ReadTx) -> ExportView:
    """An export: what was asked, how many entries, and the digests of what was made."""
    return await queries.get_export(tx, export_id)


@router.get("/exports/{export_id}/file", response_class=Response)
async def get_file(export_id: UUID, request: Request, _actor: Officer, tx: Tx) -> StreamingResponse:
    """The ZIP file. The log `access` records who fetches it."""
    export = await usecases.fetch_file(tx, export_id)
    return StreamingResponse(
        queries.file_parts(request.app.state.runtime.database, export_id),
        media_type="application/zip",
        headers={
            "Content-Length": str(export.file_bytes),
            "Content-Disposition": f'attachment; filename="export-{export_id}.zip"',
            "ETag": f'"{export.file_sha256}"',
            "Cache-Control": "no-store",
        },
    )


@router.post("/exports/verifications", dependencies=[file_body])
async def verify_export(request: Request, _actor: Officer) -> VerificationView:
    """Check an export, sent as the body (application/zip), under this deployment's own key: what holds, or the first
    thing that is wrong."""
    with tempfile.TemporaryFile() as file:
        try:
            async for chunk in request.stream():
                file.write(chunk)
                if file.tell() > FILE_BYTES_MAX:
                    raise TooLarge("export-too-large", f"No export is larger than {FILE_BYTES_MAX >> 20} MiB.")
        except ClientDisconnect:
            raise Invalid("upload-cut", "The upload ended early: send the file again.") from None
        settings = AuditSettings.of(request.app.state.runtime.settings)
        return await asyncio.to_thread(queries.verify, file, settings)
