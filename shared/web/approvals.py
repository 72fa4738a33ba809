"""The work list of a service: the requests that wait for a second person, and their decision. A service that lists no
action in its catalogue has none. The reader sees the actions that its roles may ask for or decide upon."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shared.approvals import Action, Approval, ApprovalStatus, Catalogue, open_request
from shared.auth import Actor, allow
from shared.bodies import Body, Reason, ReasonBody
from shared.database import Transaction
from shared.web.paging import Page, Paging
from shared.web.problems import Problem, problem
from shared.web.requests import DoorstepRoute, ReadTx, Tx


class ApproveBody(Body):
    """Why, in words; without it the reason of the request counts."""

    reason: Reason | None = None


class ApprovalView(BaseModel):
    """A request. `effect`: what happens, or happened, at the approval. `seen`: the facts that it was made on."""

    id: UUID
    action: str
    effect: str
    subject_id: UUID
    case_id: UUID | None
    lender_id: str | None
    command: dict[str, Any]
    seen: dict[str, Any]
    status: ApprovalStatus
    asked_by: str
    asked_at: datetime
    reason: str | None = Field(description="why it was asked; absent where none was given, or it was erased")
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    answer: str | None = Field(description="why it was approved or refused")
    ended_because: str | None = Field(description="of an expired request: TIME or CHANGED")


def needs_second_person(approval: Approval, actor: Actor, path: str) -> Problem:
    """The answer to a person who cannot do this alone: the request is stored, and waits in the work list at `path`."""
    said = (
        "Your request is stored: a colleague approves it"
        if approval.was_asked_by(actor.ref.ref)
        else ("A colleague has asked for it already: approve it")
    )
    detail = f"This needs a second person. {said} at {path}/{approval.id}/approve."
    return problem(409, "second-person", detail, **open_request(approval))


def approvals_router(service: str, catalogue: Catalogue) -> APIRouter:
    router = APIRouter(prefix=f"/{service}/v1/approvals", tags=["approvals"], route_class=DoorstepRoute)
    Reader = Annotated[Actor, allow(*catalogue.roles)]
    Decider = Annotated[Actor, allow(*catalogue.deciders)]
    approvals = catalogue.approvals

    def view(approval: Approval, now: datetime) -> ApprovalView:
        values = {name: getattr(approval, name) for name in ApprovalView.model_fields if hasattr(approval, name)}
        effect = catalogue.action(approval.action).effect_of(approval)
        return ApprovalView(**values | {"status": approval.status_at(now), "effect": effect})

    async def action_of(tx: Transaction, approval_id: UUID, actor: Actor) -> Action:
        seen = catalogue.seen_by(actor)
        return seen[(await approvals.find(tx, approval_id, seen)).action]

    @router.get("")
    async def list_approvals(
        actor: Reader,
        tx: ReadTx,
        page: Paging,
        status: ApprovalStatus | None = None,
        case_id: UUID | None = None,
        subject_id: UUID | None = None,
    ) -> Page[ApprovalView]:
        """Requests in the order in which they were made: who asked, when, why, and what happens at the approval.
        `status=OPEN` are those that wait for a second person."""
        items = await approvals.page(
            tx,
            catalogue.seen_by(actor),
            status=status,
            case_id=case_id,
            subject_id=subject_id,
            after=page.after(UUID),
            limit=page.fetch,
        )
        return page.of([view(item, tx.now) for item in items], key=lambda item: item.id)

    @router.get("/{approval_id}")
    async def get_approval(approval_id: UUID, actor: Reader, tx: ReadTx) -> ApprovalView:
        """One request."""
        return view(await approvals.find(tx, approval_id, catalogue.seen_by(actor)), tx.now)

    @router.post("/{approval_id}/approve")
    async def approve(approval_id: UUID, body: ApproveBody, actor: Decider, tx: Tx) -> ApprovalView:
        """Approve a request of another person; its action is carried out at once. 409 `second-person`,
        `changed-since` with what changed, `approval-decided`, `approval-expired`."""
        action = await action_of(tx, approval_id, actor)
        return view(await approvals.approve(tx, action, approval_id, reason=body.reason, actor=actor), tx.now)

    @router.post("/{approval_id}/refuse")
    async def refuse(approval_id: UUID, body: ReasonBody, actor: Decider, tx: Tx) -> ApprovalView:
        """Refuse a request of another person. It can be made again."""
        action = await action_of(tx, approval_id, actor)
        return view(await approvals.refuse(tx, action, approval_id, reason=body.reason, actor=actor), tx.now)

    return router
