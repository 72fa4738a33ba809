"""Routes of contact attempts, and of checks before a contact."""

from typing import Annotated
from uuid import UUID

from services.cases.contacts import queries, usecases
from services.cases.contacts.schemas import (
    AttemptsBody,
    AttemptsRecorded,
    AttemptView,
    ContactChecksBody,
    ContactChecksView,
)
from shared.auth import Actor, Role, allow
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("cases", tag="contacts")
Recorder = Annotated[Actor, allow(Role.SUPERVISOR, Role.COLLECTOR, Role.CALLER, Role.LENDER)]
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.CALLER, Role.LENDER)]


@router.post("/contact-checks")
async def check_contacts(body: ContactChecksBody, actor: Recorder, tx: ReadTx) -> ContactChecksView:
    """May this call be made, this message or letter be sent? Asked for one contact or 200, before it is made; nothing
    is stored. Each answer is the gate's decision: hours at the debtor's place, caps, holds, persons."""
    return ContactChecksView(items=await usecases.check_contacts(tx, body.contacts, actor=actor))


@router.post("/contact-attempts")
async def record_attempts(body: AttemptsBody, actor: Recorder, tx: Tx) -> AttemptsRecorded:
    """Record calls and messages, and what came of them. A referral rule may fire on them. One that the gate forbids is
    recorded as it happened, and flagged. A caller records calls and text messages; other channels are refused there."""
    return await usecases.record_attempts(tx, body.attempts, actor=actor)


@router.get("/contact-attempts")
async def list_attempts(
    _actor: Reader, tx: ReadTx, page: Paging, case_id: UUID | None = None, flagged: bool | None = None
) -> Page[AttemptView]:
    """Attempts in the order in which they were recorded; `flagged=true` are those that a rule forbade."""
    wanted = queries.AttemptFilter(case_id, flagged)
    items = await queries.list_attempts(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
