"""Routes of lenders, their feed profiles, and what they have recorded about us, their agent."""

from typing import Annotated

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from services.cases.lenders import usecases
from services.cases.lenders.profile import read_profile
from services.cases.lenders.schemas import AgencyBody, AgencyView, LenderView, ProfileView, RegisterLenderBody
from shared.auth import Actor, Role, allow
from shared.web import ReadTx, SeenVersion, Tx, body_of, etag, room

router = room("cases", tag="lenders")
Admin = Annotated[Actor, allow(Role.ADMIN)]
PROFILE_BYTES_MAX = 64 * 1024
OwnLender = Annotated[Actor, allow(Role.ADMIN, Role.LENDER)]
Reader = Annotated[Actor, allow(Role.ADMIN, Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("/lenders", status_code=201)
async def register_lender(body: RegisterLenderBody, _actor: Admin, tx: Tx) -> LenderView:
    """Register a lender under an id of its own."""
    lender = await usecases.register_lender(tx, lender_id=body.id, name=body.name)
    return LenderView(id=lender.id, name=lender.name, profile_version=lender.profile_version)


@router.put(
    "/lenders/{lender_id}/profile",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {}, "application/yaml": {}}}},
    dependencies=[body_of(bytes_max=PROFILE_BYTES_MAX)],
)
async def store_profile(
    lender_id: str, request: Request, response: Response, _actor: OwnLender, tx: Tx, seen: SeenVersion
) -> ProfileView:
    """Say how the lender's files are to be read. Files that came before keep the version they came with."""
    lender = await usecases.lock_lender(tx, lender_id)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type not in ("application/json", "application/yaml", "text/yaml"):
        raise HTTPException(415, "Send the profile as application/yaml or application/json.")
    profile = read_profile(await request.body(), is_yaml=media_type != "application/json")
    seen.check(lender.profile_version)
    version = await usecases.store_profile(tx, lender, profile)
    response.headers["ETag"] = etag(version)
    return ProfileView(version=version, profile=profile)


@router.get("/lenders/{lender_id}/profile")
async def get_profile(lender_id: str, _actor: OwnLender, tx: ReadTx, response: Response) -> ProfileView:
    """The newest profile."""
    version, profile = await usecases.profile_of(tx, lender_id)
    response.headers["ETag"] = etag(version)
    return ProfileView(version=version, profile=profile)


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
