"""Actions that need a second person: one person asks, another one approves or refuses, and the approval carries the
action out in its own transaction.

A room declares an `Action`, and its service lists it in the `Catalogue` that `Service.approvals` names. The room's use
case calls `Approvals.ask`; the work list (shared/web/approvals.py) does the rest. Reasons are free text: they are
stored sealed, and no event has them.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import MetaData, select

from shared.approval_rows import Approval, ApprovalRows, ApprovalStatus, approval_table
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.due import in_pages
from shared.errors import Conflict, Forbidden, NotFound
from shared.events.operations import ApprovalAsked, ApprovalEvent, ApprovalExpired, ApprovalGranted, ApprovalRefused
from shared.ids import new_id

__all__ = ["Action", "Approval", "ApprovalStatus", "Approvals", "Catalogue", "Subject", "open_request"]

EXPIRED_AT_ONCE_MAX = 100


class Ended(StrEnum):
    """Why a request expired: no decision came in time, or its subject changed and the action was asked for again."""

    TIME = "TIME"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action is about. `seen`: the facts on which a person decides, without personal data and free text; an
    approval is refused where they have changed since the request."""

    seen: Mapping[str, Any]
    case_id: UUID | None = None
    lender_id: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """An action that needs a second person.

    `effect`: what happens at the approval, in a sentence that may name fields of `seen` and `command` in braces.
    `expires_after`: None where each request names its own end. `look` locks the subject and returns its present facts;
    it raises NotFound. `carry_out` does the action, in the transaction of the approval; the actor is the second person.
    It raises Conflict where the action is not possible. `turn_down`, if there is one, is called with a refusal.
    """

    name: str
    effect: str
    asked_by: frozenset[Role]
    decided_by: frozenset[Role]
    expires_after: timedelta | None
    look: Callable[[Transaction, UUID], Awaitable[Subject]]
    carry_out: Callable[[Transaction, Approval, Actor], Awaitable[object]]
    turn_down: Callable[[Transaction, Approval, Actor], Awaitable[object]] | None = None

    @property
    def seen_by(self) -> frozenset[Role]:
        return self.asked_by | self.decided_by

    def effect_of(self, approval: Approval) -> str:
        return self.effect.format_map({**approval.seen, **approval.command})


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact of the subject that changed since the request."""

    field: str
    was: Any
    now: Any


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """The facts that differ, by name."""
    names = sorted(was.keys() | now.keys())
    return [Difference(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]


def check_decidable(approval: Approval, subject: str, now: datetime) -> None:
    """A request is decided once, in time, by another subject than the one that asked, in whatever role. Raises
    Conflict."""
    status = approval.status_at(now)
    if status is ApprovalStatus.EXPIRED:
        raise Conflict("approval-expired", "This request has expired. Ask again.")
    if status is not ApprovalStatus.OPEN:
        raise Conflict("approval-decided", f"This request is {status} already. Ask again for a new decision.")
    if approval.was_asked_by(subject):
        raise Conflict("second-person", "You asked for this: a colleague must decide.", **open_request(approval))


class Approvals:
    """The requests of one service."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = approval_table(metadata)
        self._rows = ApprovalRows(self.table)
        self.expire_due = in_pages(self._is_any_due, self._expire_page)
        """A timer: it ends the requests whose time is over."""

    async def ask(
        self,
        tx: Transaction,
        action: Action,
        subject_id: UUID,
        *,
        reason: str | None,
        actor: Actor,
        command: Mapping[str, Any] | None = None,
        expires_at: datetime | None = None,
    ) -> Approval:
        """Ask for an action. An open request for the same action, command and facts is returned as it is; one for
        other facts or another command ends, and this one takes its place. Raises Forbidden, or what `look` raises."""
        _check_role(actor, action.asked_by)
        subject = await action.look(tx, subject_id)
        made = Approval(
            id=new_id(),
            action=action.name,
            subject_id=subject_id,
            case_id=subject.case_id,
            lender_id=subject.lender_id,
            command=to_jsonable_python(command or {}),
            seen=to_jsonable_python(subject.seen),
            status=ApprovalStatus.OPEN,
            asked_by=str(actor.ref),
            asked_at=tx.now,
            expires_at=expires_at or _end_of(action, tx.now),
            version=1,
            reason=reason,
        )
        known = await self.open_for(tx, action, subject_id)
        if known is not None:
            in_time = known.status_at(tx.now) is ApprovalStatus.OPEN
            if in_time and (known.seen, known.command) == (made.seen, made.command):
                return known
            await self._expire(tx, known, Ended.CHANGED if in_time else Ended.TIME)
        await self._rows.insert(tx, made)
        _publish(tx, made, ApprovalAsked(**_facts_of(made), expires_at=made.expires_at))
        return made

    async def approve(
        self, tx: Transaction, action: Action, approval_id: UUID, *, reason: str | None, actor: Actor
    ) -> Approval:
        """Approve a request and carry its action out. Raises NotFound, Forbidden, Conflict where it is decided, expired
        or its subject has changed since, or what the action raises."""
        asked = await self._decidable(tx, action, approval_id, actor)
        present = await action.look(tx, asked.subject_id)  # first the subject, then the request: in the order of `ask`
        found = await self._decidable(tx, action, approval_id, actor, lock=True)
        changed = differences(found.seen, to_jsonable_python(present.seen))
        if changed:
            raise Conflict(
                "changed-since",
                f"What this request is about has changed since: {', '.join(each.field for each in changed)}. "
                "Refuse the request, or ask again.",
                changed=[{"field": each.field, "was": each.was, "now": each.now} for each in changed],
            )
        decided = await self._decide(tx, found, ApprovalStatus.APPROVED, reason, actor)
        await action.carry_out(tx, decided, actor)
        return decided

    async def refuse(
        self, tx: Transaction, action: Action, approval_id: UUID, *, reason: str, actor: Actor
    ) -> Approval:
        """Refuse a request. Raises NotFound, Forbidden, or Conflict where it is decided or expired."""
        asked = await self._decidable(tx, action, approval_id, actor)
        if action.turn_down is not None:
            await action.look(tx, asked.subject_id)
        found = await self._decidable(tx, action, approval_id, actor, lock=True)
        decided = await self._decide(tx, found, ApprovalStatus.REFUSED, reason, actor)
        if action.turn_down is not None:
            await action.turn_down(tx, decided, actor)
        return decided

    async def settle(
        self, tx: Transaction, action: Action, subject_id: UUID, status: ApprovalStatus, *, actor: Actor
    ) -> None:
        """Note what the action's own route did with a locked subject: approved, refused or, as EXPIRED, took it back.
        Its open request ends so. Raises Conflict where the actor may not decide it."""
        found = await self.open_for(tx, action, subject_id)
        if found is None:
            return
        if found.status_at(tx.now) is ApprovalStatus.EXPIRED:
            await self._expire(tx, found, Ended.TIME)
        elif status is ApprovalStatus.EXPIRED:
            await self._expire(tx, found, Ended.CHANGED)
        else:
            check_decidable(found, actor.ref.ref, tx.now)
            await self._decide(tx, found, status, None, actor)

    async def _is_any_due(self, tx: Transaction) -> bool:
        due = select(self.table.c.id).where(self._rows.is_due(tx.now)).limit(1)
        return (await tx.session.execute(due)).first() is not None

    async def _expire_page(self, tx: Transaction) -> int:
        """End the requests whose time is over, one page of them."""
        found = await self._rows.read(tx, self._rows.is_due(tx.now), limit=EXPIRED_AT_ONCE_MAX, lock=True)
        for approval in found:
            await self._expire(tx, approval, Ended.TIME)
        return len(found)

    async def open_for(self, tx: Transaction, action: Action, subject_id: UUID) -> Approval | None:
        """The request for an action on a subject that was not decided yet, locked."""
        t = self.table.c
        conditions = (t.action == action.name, t.subject_id == subject_id, t.status == ApprovalStatus.OPEN)
        found = await self._rows.read(tx, *conditions, lock=True)
        return found[0] if found else None

    async def find(self, tx: Transaction, approval_id: UUID, names: Collection[str], *, lock: bool = False) -> Approval:
        """A request for one of these actions. Raises NotFound."""
        t = self.table.c
        found = await self._rows.read(tx, t.id == approval_id, t.action.in_(names), lock=lock)
        if not found:
            raise NotFound("approval-not-found", "There is no such request here.")
        return found[0]

    async def page(
        self,
        tx: Transaction,
        names: Collection[str],
        *,
        status: ApprovalStatus | None,
        case_id: UUID | None,
        subject_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Approval]:
        """Requests for these actions in the order in which they were made."""
        t = self.table.c
        conditions: list[Any] = [t.action.in_(names)]
        if status is not None:
            conditions.append(self._rows.has_status(status, tx.now))
        if case_id is not None:
            conditions.append(t.case_id == case_id)
        if subject_id is not None:
            conditions.append(t.subject_id == subject_id)
        if after is not None:
            conditions.append(t.id > after)
        return await self._rows.read(tx, *conditions, limit=limit)

    async def _decidable(
        self, tx: Transaction, action: Action, approval_id: UUID, actor: Actor, *, lock: bool = False
    ) -> Approval:
        """An open request that this actor may decide upon. Raises NotFound, Conflict, Forbidden."""
        _check_role(actor, action.decided_by)
        found = await self.find(tx, approval_id, [action.name], lock=lock)
        check_decidable(found, actor.ref.ref, tx.now)
        return found

    async def _decide(
        self, tx: Transaction, found: Approval, status: ApprovalStatus, reason: str | None, actor: Actor
    ) -> Approval:
        by, version = str(actor.ref), found.version + 1
        decided = replace(found, status=status, decided_by=by, decided_at=tx.now, answer=reason, version=version)
        await self._rows.store(tx, decided)
        event = ApprovalGranted if status is ApprovalStatus.APPROVED else ApprovalRefused
        _publish(tx, decided, event(**_facts_of(decided), asked_by=decided.asked_by))
        return decided

    async def _expire(self, tx: Transaction, approval: Approval, because: Ended) -> None:
        ended = replace(approval, status=ApprovalStatus.EXPIRED, ended_because=because, version=approval.version + 1)
        await self._rows.store(tx, ended)
        _publish(tx, ended, ApprovalExpired(**_facts_of(ended), because=because))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The actions of one service that need a second person."""

    approvals: Approvals
    actions: tuple[Action, ...]

    def action(self, name: str) -> Action:
        return next(action for action in self.actions if action.name == name)

    def seen_by(self, actor: Actor) -> dict[str, Action]:
        """The actions that this actor may ask for or decide upon, by name."""
        return {action.name: action for action in self.actions if actor.has(*action.seen_by)}

    @property
    def roles(self) -> frozenset[Role]:
        """Who reads the work list."""
        return frozenset(role for action in self.actions for role in action.seen_by)

    @property
    def deciders(self) -> frozenset[Role]:
        return frozenset(role for action in self.actions for role in action.decided_by)


def open_request(approval: Approval) -> dict[str, Any]:
    """The fields of a problem document that say which request waits for a second person."""
    return {
        "approval_id": str(approval.id),
        "action": approval.action,
        "asked_by": approval.asked_by,
        "expires_at": approval.expires_at.isoformat(),
    }


def _end_of(action: Action, now: datetime) -> datetime:
    if action.expires_after is None:
        raise RuntimeError(f"a request for {action.name} must name its end")
    return now + action.expires_after


def _check_role(actor: Actor, roles: Collection[Role]) -> None:
    if not actor.has(*roles):
        raise Forbidden("role", f"Your token needs one of the roles {', '.join(sorted(roles))}.")


def _facts_of(approval: Approval) -> dict[str, Any]:
    """The fields that all events of a request have."""
    return {name: getattr(approval, name) for name in ("action", "subject_id", "case_id")} | {
        "approval_id": approval.id
    }


def _publish(tx: Transaction, approval: Approval, event: ApprovalEvent) -> None:
    key = approval.case_id or approval.id
    tx.publish_as(event, subject=approval.id, version=approval.version, key=key, lender_id=approval.lender_id)
