"""Routes of the register of rule packs."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Path, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from services.visits.rulepacks import queries, usecases
from services.visits.rulepacks.schemas import (
    BackTestBody,
    BackTestView,
    PackVersionDetail,
    PackVersionView,
    RulePackDetail,
    RulePackView,
    UploadBody,
)
from shared.auth import Actor, Role, allow
from shared.bodies import places_of
from shared.errors import Invalid
from shared.law import PACK_ID, StatedDay
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, body_of, etag, room

router = room("visits", tag="rule packs")
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]
Officer = Annotated[Actor, allow(*usecases.OFFICERS)]
PackId = Annotated[str, Path(pattern=PACK_ID)]

YAML, JSON = ("application/yaml", "text/yaml"), "application/json"
UPLOAD_BYTES_MAX = 2 * usecases.YAML_BYTES_MAX  # as JSON it may be longer, by its escapes
_BODY = {
    "requestBody": {
        "required": True,
        "content": {YAML[0]: {}, JSON: {"schema": UploadBody.model_json_schema()}},
    }
}


@dataclass(frozen=True, slots=True)
class Upload:
    yaml: str
    effective_from: date


async def read_upload(request: Request, effective_from: StatedDay | None = None) -> Upload:
    """The version in a request: YAML with its day in the query, or JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (*YAML, JSON):
        raise HTTPException(415, f"Send the pack as {YAML[0]} with ?effective_from=, or as {JSON}.")
    content = await request.body()
    try:
        if media_type == JSON:
            body = UploadBody.model_validate_json(content)
            return Upload(body.yaml, body.effective_from)
        text = content.decode()
    except ValidationError as error:
        raise Invalid(
            "malformed", "The body must have the fields `yaml` and `effective_from`.", errors=places_of(error.errors())
        ) from None
    except UnicodeDecodeError:
        raise Invalid("pack-encoding", "The pack is not UTF-8. Save the file as UTF-8.") from None
    if effective_from is None:
        raise Invalid(
            "effective-missing",
            "`effective_from` is missing: add the first day in force, such as ?effective_from=2026-12-01.",
        )
    return Upload(text, effective_from)


@router.get("/rule-packs")
async def list_packs(_actor: Reader, tx: ReadTx, page: Paging, day: StatedDay | None = None) -> Page[RulePackView]:
    """The rule packs, each with the version that is in force on a day, by default today."""
    items = await queries.list_packs(tx, day=day, after=page.after(str) or "", limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/rule-packs/{pack_id}")
async def get_pack(pack_id: PackId, _actor: Reader, tx: ReadTx, day: StatedDay | None = None) -> RulePackDetail:
    """A pack as it is in force on a day, by default today: every rule with its source."""
    return await queries.get_pack(tx, pack_id, day=day)


@router.get("/rule-packs/{pack_id}/versions")
async def list_versions(
    pack_id: PackId, _actor: Reader, tx: ReadTx, page: Paging, day: StatedDay | None = None
) -> Page[PackVersionView]:
    """The versions of a pack: the one that ships with the program, then those uploaded, in their order. `standing` says
    which one acts of a day are judged by, by default today, and why not by the others."""
    rows = await queries.list_versions(tx, pack_id, day=day, after=page.after(int), limit=page.fetch)
    found = page.of(rows, key=lambda row: row[0])
    return Page(items=[view for _, view in found.items], next_cursor=found.next_cursor)


@router.get("/rule-packs/{pack_id}/versions/{version}")
async def get_version(
    pack_id: PackId, version: str, _actor: Reader, tx: ReadTx, response: Response, day: StatedDay | None = None
) -> PackVersionDetail:
    """A version with its text, and what it changes, in sentences."""
    view, number = await queries.get_version(tx, pack_id, version, day=day)
    response.headers["ETag"] = etag(number)
    return view


@router.post(
    "/rule-packs/{pack_id}/versions",
    status_code=201,
    openapi_extra=_BODY,
    dependencies=[body_of(bytes_max=UPLOAD_BYTES_MAX)],
)
async def upload_version(
    pack_id: PackId,
    actor: Officer,
    found: Annotated[Upload, Depends(read_upload)],
    tx: Tx,
    response: Response,
    dry_run: bool = False,
) -> PackVersionDetail:
    """Upload a new version of a pack. It waits for another officer's approval; nothing changes until its day. With
    `dry_run` nothing is stored (200): the answer shows what the version would change."""
    pack = usecases.read_version(pack_id, found.yaml)
    command = usecases.UploadPack(pack, found.effective_from)
    row = await usecases.upload(tx, command, actor=actor, dry_run=dry_run)
    if dry_run:
        response.status_code = 200
    else:
        response.headers["Location"] = f"/visits/v1/rule-packs/{pack_id}/versions/{pack.version}"
    return await queries.detail(tx, row)


@router.post("/rule-packs/{pack_id}/versions/{version}/approve")
async def approve_version(
    pack_id: PackId, version: str, actor: Officer, tx: Tx, seen: SeenVersion
) -> PackVersionDetail:
    """Approve a version that another officer uploaded. From its day on it is the law, in every service."""
    row = await usecases.PACKS.lock(tx, pack_id, version, seen)
    await usecases.approve(tx, row, actor=actor)
    return await queries.detail(tx, row)


@router.post("/rule-packs/{pack_id}/versions/{version}/reject")
async def reject_version(pack_id: PackId, version: str, actor: Officer, tx: Tx, seen: SeenVersion) -> PackVersionDetail:
    """Reject a version that another officer uploaded."""
    row = await usecases.PACKS.lock(tx, pack_id, version, seen)
    await usecases.reject(tx, row, actor=actor)
    return await queries.detail(tx, row)


@router.post("/rule-packs/{pack_id}/versions/{version}/withdraw")
async def withdraw_version(
    pack_id: PackId, version: str, actor: Officer, tx: Tx, seen: SeenVersion
) -> PackVersionDetail:
    """Take a version back, approved or not, before its first day has begun anywhere. Its name is not given again."""
    row = await usecases.PACKS.lock(tx, pack_id, version, seen)
    await usecases.withdraw(tx, row, actor=actor)
    return await queries.detail(tx, row)


@router.post("/rule-packs/{pack_id}/back-test")
async def back_test(pack_id: PackId, body: BackTestBody, _actor: Reader, tx: ReadTx) -> BackTestView:
    """What a version would have decided on past acts: each rule's verdicts before and after, with examples. Nothing is
    stored."""
    return await queries.back_test(tx, pack_id, body)
