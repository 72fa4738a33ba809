"""Routes of what is known about debtors: positions for planning, address checks, notices."""

from typing import Annotated
from uuid import UUID

from fastapi import Request

from services.cases.casefile import queries as casefile
from services.cases.debtors import queries, usecases
from services.cases.debtors.schemas import (
    DebtorSearchBody,
    DebtorsView,
    DebtorView,
    LocationsBody,
    LocationsView,
    LocationView,
    NoticeRecordView,
    NoticesBody,
    Recorded,
    VerificationsBody,
)
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("cases", tag="debtors")
Planner = Annotated[Actor, allow(Role.SERVICE)]
Recorder = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.LENDER)]
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.LENDER, Role.CALLER)]


@router.post("/debtor-searches")
async def find_debtors(body: DebtorSearchBody, request: Request, _actor: Reader, tx: Tx) -> DebtorsView:
    """Our ids of a debtor whom the lender knows by a reference of its own. The look-up is recorded."""
    digest_key = request.app.state.runtime.digest_secret
    found = await usecases.find_debtors(tx, body.lender_id, body.reference, digest_key)
    usecases.record_reading(tx, [row.case_id for row in found], reason="SEARCH", lender_id=body.lender_id)
    return DebtorsView(items=[DebtorView(debtor_id=row.id, case_id=row.case_id) for row in found])


@router.post("/locations")
async def read_locations(body: LocationsBody, _actor: Planner, tx: Tx) -> LocationsView:
    """Positions for planning, in batches of 200 at most, for a service that acts on behalf of a person."""
    positions = await usecases.open_positions(tx, body.case_ids)
    usecases.record_reading(tx, list(positions), reason=body.reason, lender_id=None)
    return LocationsView(
        items=[
            LocationView(case_id=case_id, latitude=positions[case_id][0], longitude=positions[case_id][1])
            for case_id in body.case_ids
            if case_id in positions
        ]
    )


@router.post("/address-verifications")
async def verify_addresses(body: VerificationsBody, _actor: Recorder, tx: Tx) -> Recorded:
    """Record the checks of addresses; what cannot be recorded is listed, the rest is kept."""
    return await usecases.verify_addresses(tx, body.verifications)


@router.post("/notices")
async def record_notices(body: NoticesBody, _actor: Recorder, tx: Tx) -> Recorded:
    """Record what debtors were sent; what cannot be recorded is listed, the rest is kept."""
    return await usecases.record_notices(tx, body.notices)


@router.get("/cases/{case_id}/notices")
async def list_notices(case_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[NoticeRecordView]:
    """What the debtor was sent, with the digest of each proof."""
    await casefile.check_known(tx, case_id)
    items = await queries.list_notices(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
