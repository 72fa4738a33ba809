"""The table of requests for a second person: one row a request. Its reasons are sealed, a case's by keys of the case,
so that they are erased with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Index,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    and_,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Column as C

from shared.database import Transaction, UtcTime
from shared.events.envelope import ActorRef
from shared.sealing import Place
from shared.tenants import owned
from shared.vault import Item

REASON = "reason"
"""The class of the keys that seal reasons."""

_SEALED = {"reason": "sealed_reason", "answer": "sealed_answer"}


class ApprovalStatus(StrEnum):
    OPEN = "OPEN"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for an action, and what came of it. `command`: the action's parameters, and `seen`: the facts that it
    was asked on, both without personal data and free text. `answer`: the reason of the second person."""

    id: UUID
    action: str
    subject_id: UUID
    case_id: UUID | None
    lender_id: str | None
    command: Mapping[str, Any]
    seen: Mapping[str, Any]
    status: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    version: int
    decided_by: str | None = None
    decided_at: datetime | None = None
    ended_because: str | None = None
    reason: str | None = None
    answer: str | None = None

    @property
    def keys(self) -> str:
        """The subject of the keys that seal its reasons."""
        return f"case/{self.case_id}" if self.case_id else f"approval/{self.id}"

    def was_asked_by(self, subject: str) -> bool:
        """Whether this subject asked, in whatever role."""
        return ActorRef.parse(self.asked_by).ref == subject

    def status_at(self, now: datetime) -> ApprovalStatus:
        """Its status, also before the timer has noted that it expired."""
        late = self.status == ApprovalStatus.OPEN and self.expires_at <= now
        return ApprovalStatus.EXPIRED if late else ApprovalStatus(self.status)


def approval_table(metadata: MetaData) -> Table:
    """Of one action and subject, one request at most is open."""
    table = Table(
        "approval",
        metadata,
        C("id", Uuid, primary_key=True),
        C("action", Text, nullable=False),
        C("subject_id", Uuid, nullable=False),
        C("case_id", Uuid),
        C("lender_id", Text),
        C("command", JSON, nullable=False),
        C("seen", JSON, nullable=False),
        C("status", Text, nullable=False),
        C("asked_by", Text, nullable=False),
        C("asked_at", UtcTime, nullable=False),
        C("sealed_reason", LargeBinary),
        C("expires_at", UtcTime, nullable=False),
        C("decided_by", Text),
        C("decided_at", UtcTime),
        C("sealed_answer", LargeBinary),
        C("ended_because", Text),
        C("version", BigInteger, nullable=False),
        **owned(tenant="lender_id"),
    )
    t, is_open = table.c, table.c.status == "OPEN"
    Index("uq_approval_open", t.action, t.subject_id, unique=True, sqlite_where=is_open, postgresql_where=is_open)
    Index("ix_approval_status", t.status, t.id)
    return table


@dataclass(frozen=True, slots=True)
class ApprovalRows:
    """Reads and writes of the table."""

    table: Table

    async def read(
        self, tx: Transaction, *conditions: ColumnElement[bool], limit: int | None = None, lock: bool = False
    ) -> list[Approval]:
        """Requests in the order in which they were made; a reason that was erased is None."""
        statement = select(self.table).where(*conditions).order_by(self.table.c.id).limit(limit)
        rows = (await tx.session.execute(statement.with_for_update() if lock else statement)).all()
        return await _opened(tx, rows)

    async def insert(self, tx: Transaction, approval: Approval) -> None:
        await tx.session.execute(insert(self.table).values(await _values(tx, approval)))

    async def store(self, tx: Transaction, approval: Approval) -> None:
        """Take a request's new state. Of its reasons, only the answer can be new."""
        values = await _values(tx, replace(approval, reason=None))
        changing = update(self.table).where(self.table.c.id == approval.id)
        await tx.session.execute(changing.values({name: value for name, value in values.items() if name != "id"}))

    def has_status(self, status: ApprovalStatus, now: datetime) -> ColumnElement[bool]:
        t = self.table.c
        if status is ApprovalStatus.OPEN:
            return and_(t.status == status, t.expires_at > now)
        if status is ApprovalStatus.EXPIRED:
            return or_(t.status == status, self.is_due(now))
        return t.status == status

    def is_due(self, now: datetime) -> ColumnElement[bool]:
        """Open although its time is over."""
        return and_(self.table.c.status == ApprovalStatus.OPEN, self.table.c.expires_at <= now)


async def _values(tx: Transaction, approval: Approval) -> dict[str, Any]:
    """The row of a request, without the columns of reasons that it does not have."""
    values = {name: value for name, value in asdict(approval).items() if name not in _SEALED}
    for name, column in _SEALED.items():
        text = getattr(approval, name)
        if text is not None:
            values[column] = await tx.vault.seal(approval.keys, REASON, _place(approval.id, column), text.encode())
    return values


async def _opened(tx: Transaction, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Approval]:
    found, sealed = [], []
    for row in rows:
        values = row._asdict()
        contents = {name: values.pop(column) for name, column in _SEALED.items()}
        found.append(Approval(**values))
        sealed += [
            (name, Item(found[-1].keys, _place(row.id, _SEALED[name]), content))
            for name, content in contents.items()
            if content is not None
        ]
    plain = await tx.vault.open_all(REASON, [item for _, item in sealed]) if sealed else []
    texts: dict[UUID, dict[str, Any]] = {approval.id: {} for approval in found}
    for (name, item), text in zip(sealed, plain, strict=True):
        texts[UUID(str(item.place.row[0]))][name] = None if text is None else text.decode()
    return [replace(approval, **texts[approval.id]) for approval in found]


def _place(approval_id: UUID, column: str) -> Place:
    return Place("approval", column, (approval_id,))
