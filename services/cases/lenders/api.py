"""Routes of lenders, their feed profiles, and what they have recorded about us, their agent."""

from typing import Annotated

from fastapi import Path, Request, Response
from starlette.exceptions import HTTPException

from services.cases.lenders import queries, usecases
from services.cases.lenders.profile import PROFILE_VERSIONS_MAX, read_profile
from services.cases.lenders.schemas import (
    AgencyBody,
    AgencyView,
    LenderView,
    ProfileVersionDetail,
    ProfileVersionView,
    ProfileView,
    RegisterLenderBody,
    StoredProfileView,
)
from shared.auth import Actor, Role, allow
from shared.law import StatedDay
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, body_of, etag, room

router = room("cases", tag="lenders")
Admin = Annotated[Actor, allow(Role.ADMIN)]
PROFILE_BYTES_MAX = 64 * 1024
ProfileVersion = Annotated[int, Path(ge=1, le=PROFILE_VERSIONS_MAX)]
OwnLender = Annotated[Actor, allow(Role.ADMIN, Role.LENDER)]
Reader = Annotated[Actor, allow(Role.ADMIN, Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("/lenders", status_code=201)
async def register_lender(body: RegisterLenderBody, _actor: Admin, tx: Tx) -> LenderView:
    """Register a lender under an id of its own."""
    lender = await usecases.register_lender(tx, lender_id=body.id, name=body.name)
    return LenderView(id=lender.id, name=lender.name, profile_version=0)


@router.put(
    "/lenders/{lender_id}/profile",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {}, "application/yaml": {}}}},
    dependencies=[body_of(bytes_max=PROFILE_BYTES_MAX)],
)
async def store_profile(
    lender_id: str,
    request: Request,
    response: Response,
    actor: OwnLender,
    tx: Tx,
    seen: SeenVersion,
    dry_run: bool = False,
) -> StoredProfileView:
    """Say how the lender's files are to be read, at once. Files that came before keep the version they came with. With
    `dry_run` nothing is stored: the answer shows what the profile would change."""
    await usecases.lock_lender(tx, lender_id)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type not in ("application/json", "application/yaml", "text/yaml"):
        raise HTTPException(415, "Send the profile as application/yaml or application/json.")
    profile = read_profile(await request.body(), is_yaml=media_type != "application/json")
    seen.check(await usecases.newest_version(tx, lender_id))
    row, differences = await usecases.store_profile(tx, lender_id, profile, actor=actor.ref, dry_run=dry_run)
    if not dry_run:
        response.headers["ETag"] = etag(row.number)
    return StoredProfileView(version=row.number, profile=profile, differences=differences)


@router.get("/lenders/{lender_id}/profile")
async def get_profile(lender_id: str, _actor: OwnLender, tx: ReadTx, response: Response) -> ProfileView:
    """The newest profile."""
    version, profile = await usecases.profile_of(tx, lender_id)
    response.headers["ETag"] = etag(version)
    return ProfileView(version=version, profile=profile)


@router.get("/lenders/{lender_id}/profile/versions")
async def list_profile_versions(
    lender_id: str, _actor: OwnLender, tx: ReadTx, page: Paging, day: StatedDay | None = None
) -> Page[ProfileVersionView]:
    """The versions of a profile, in their order, each with the first file that used it. A file names its version;
    `GET /cases/v1/placements?profile_version=` lists the files of one version."""
    items = await queries.list_versions(tx, lender_id, day=day, after=page.after(int), limit=page.fetch)
    return page.of(items, key=lambda item: item.version)


@router.get("/lenders/{lender_id}/profile/versions/{version}")
async def get_profile_version(
    lender_id: str, version: ProfileVersion, _actor: OwnLender, tx: ReadTx, day: StatedDay | None = None
) -> ProfileVersionDetail:
    """A version with its profile, and what it changes against the version before, in sentences."""
    return await queries.get_version(tx, lender_id, version, day=day)


@router.put("/lenders/{lender_id}/agency")
async def record_agency(
    lender_id: str, body: AgencyBody, response: Response, _actor: Admin, tx: Tx, seen: SeenVersion
) -> AgencyView:
    """Record what the lender knows about us, its agent: when our details changed, when it evaluated us, whether we are
    on its list. Rules ask for it; what is unknown blocks where a rule needs it. Replaces what was recorded before."""
    await usecases.lock_lender(tx, lender_id)
    row = await usecases.agency_of(tx, lender_id)
    seen.check(row.version)
    await usecases.record_agency(tx, row, body)
    response.headers["ETag"] = etag(row.version)
    return AgencyView.model_validate(row.model_dump())


@router.get("/lenders/{lender_id}/agency")
async def get_agency(lender_id: str, _actor: Reader, tx: ReadTx, response: Response) -> AgencyView:
    """What the lender has recorded about us; null is unknown."""
    row = await usecases.agency_of(tx, lender_id)
    response.headers["ETag"] = etag(row.version)
    return AgencyView.model_validate(row.model_dump())
