"""Routes of contact attempts."""

from typing import Annotated

from services.cases.contacts import usecases
from services.cases.contacts.schemas import AttemptsBody
from services.cases.debtors.schemas import Recorded
from shared.auth import Actor, Role, allow
from shared.web import Tx, room

router = room("cases", tag="contacts")
Recorder = Annotated[Actor, allow(Role.SUPERVISOR, Role.COLLECTOR, Role.LENDER)]


@router.post("/contact-attempts")
async def record_attempts(body: AttemptsBody, actor: Recorder, tx: Tx) -> Recorded:
    """Record calls and messages, and what came of them. A referral rule may fire on them."""
    return await usecases.record_attempts(tx, body.attempts, actor=actor)
