"""Routes of consents, quiet periods and contact preferences."""

from typing import Annotated
from uuid import UUID

from fastapi import Response

from services.cases.casefile import queries as casefile
from services.cases.consents import queries, usecases
from services.cases.consents.schemas import (
    ConsentBody,
    ConsentView,
    PreferenceBody,
    PreferenceView,
    QuietPeriodBody,
    QuietPeriodView,
    WithdrawalBody,
)
from services.cases.debtors.usecases import check_recordable
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, SeenVersion, Tx, etag, room

router = room("cases", tag="consents")
Recorder = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.COLLECTOR, Role.CALLER, Role.LENDER)]
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.CALLER, Role.LENDER)]
Desk = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.LENDER)]


@router.post("/cases/{case_id}/consents", status_code=201)
async def record_consent(case_id: UUID, body: ConsentBody, actor: Recorder, tx: Tx) -> ConsentView:
    """Record what the debtor allows or asks for, with the digest of its proof. A collector does so while under way to
    the debtor, a caller for a recorded call."""
    await check_recordable(tx, case_id, actor)
    return queries.consent_view(await usecases.record_consent(tx, case_id, body, actor=actor))


@router.get("/cases/{case_id}/consents")
async def list_consents(case_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[ConsentView]:
    """The consents of a case, withdrawn ones included."""
    await casefile.check_known(tx, case_id)
    items = await queries.list_consents(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.post("/consents/{consent_id}/withdraw")
async def withdraw_consent(consent_id: UUID, body: WithdrawalBody, actor: Recorder, tx: Tx) -> ConsentView:
    """The debtor takes a consent back, at any time. The roles that record a consent record this, too. Earlier acts
    still rest on the consent."""
    return queries.consent_view(await usecases.withdraw_consent(tx, consent_id, body.at, actor=actor))


@router.post("/cases/{case_id}/quiet-periods", status_code=201)
async def record_quiet_period(case_id: UUID, body: QuietPeriodBody, actor: Desk, tx: Tx) -> QuietPeriodView:
    """Record days on which no one asks the debtor to pay: a moratorium, a bereavement, a calamity."""
    return queries.quiet_view(await usecases.record_quiet_period(tx, case_id, body, actor=actor))


@router.get("/cases/{case_id}/quiet-periods")
async def list_quiet_periods(case_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[QuietPeriodView]:
    """The quiet periods of a case."""
    await casefile.check_known(tx, case_id)
    items = await queries.list_quiet_periods(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.put("/cases/{case_id}/contact-preference")
async def record_preference(
    case_id: UUID, body: PreferenceBody, actor: Reader, tx: Tx, response: Response, seen: SeenVersion
) -> PreferenceView:
    """Record when, where and how contact suits the debtor; it takes the place of what was said before."""
    row = await usecases.lock_preference(tx, case_id, actor=actor)
    seen.check(row.version)
    await usecases.record_preference(tx, row, body, actor=actor)
    response.headers["ETag"] = etag(row.version)
    return queries.preference_view(row)


@router.get("/cases/{case_id}/contact-preference")
async def get_preference(case_id: UUID, _actor: Reader, tx: ReadTx, response: Response) -> PreferenceView:
    """When, where and how contact suits the debtor."""
    await casefile.check_known(tx, case_id)
    view, version = await queries.preference_of(tx, case_id)
    response.headers["ETag"] = etag(version)
    return view
