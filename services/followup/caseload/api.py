"""The route of followed cases."""

from typing import Annotated
from uuid import UUID

from services.followup.caseload import queries
from services.followup.caseload.schemas import FollowedCaseView
from shared.auth import Actor, Role, allow
from shared.web import ReadTx, room

router = room("followup", tag="caseload")
Reader = Annotated[Actor, allow(Role.LENDER, Role.CALLER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.get("/cases/{case_id}")
async def get_case(case_id: UUID, _actor: Reader, tx: ReadTx) -> FollowedCaseView:
    """Where a case is and which of its payments were taken back. A lender sees its own cases."""
    return await queries.followed_case(tx, case_id)
