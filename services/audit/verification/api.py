"""The route of the trail's verification of itself."""

from typing import Annotated

from services.audit.verification import queries
from services.audit.verification.schemas import VerificationView
from shared.auth import Actor, Role, allow
from shared.web import ReadTx, room

router = room("audit", tag="trail")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]


@router.get("/trail/verification")
async def read_last_verification(_actor: Officer, tx: ReadTx) -> VerificationView:
    """When the worker last derived the whole trail again from its entries, and what was wrong with which log."""
    return await queries.get_last_verification(tx)
