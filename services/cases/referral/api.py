"""Routes of referrals: how many by rule, and why one case was referred."""

from typing import Annotated
from uuid import UUID

from services.cases.casefile import queries as casefile
from services.cases.referral import queries
from services.cases.referral.schemas import ReferralCounts, ReferralView
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, room

router = room("cases", tag="referral")
Desk = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.get("/referrals/counts")
async def count_referrals(_actor: Desk, tx: ReadTx) -> ReferralCounts:
    """How many cases each rule has referred."""
    return ReferralCounts(items=await queries.count_by_rule(tx))


@router.get("/cases/{case_id}/referrals")
async def list_referrals(case_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[ReferralView]:
    """Which rule referred a case, on which inputs."""
    await casefile.check_known(tx, case_id)
    items = await queries.list_referrals(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
