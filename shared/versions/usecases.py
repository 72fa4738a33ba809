"""The versions in a room's table: upload, decide, read. A room makes one of these for each kind of document:

    PACKS = Versions(PackVersionRow, Kind("pack", four_eyes=True))

What a new version means is the room's affair: it reads the content before, and publishes its events after.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import defer
from sqlmodel import col

from shared.database import Transaction
from shared.differences import in_words
from shared.errors import NotFound
from shared.events.envelope import ActorRef
from shared.ids import new_id
from shared.listing import page_of
from shared.versions import domain
from shared.versions.domain import Kind, Upload, Version, VersionStatus
from shared.versions.schemas import VersionView
from shared.versions.tables import VersionColumns

Row = TypeVar("Row", bound=VersionColumns)
_FIELDS = tuple(field.name for field in fields(Version))


def digest_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


class Seen(Protocol):
    """What the caller has seen of a version, from its If-Match."""

    def check(self, version: int) -> None: ...


class Versions(Generic[Row]):
    """The versions of one kind of document."""

    def __init__(self, row: type[Row], kind: Kind) -> None:
        self.row = row
        self.kind = kind
        self._columns = tuple(getattr(row, name) for name in _FIELDS)

    async def known(self, tx: Transaction, document: str) -> list[Version]:
        """The versions of a document in the order of their numbers, without their contents."""
        statement = select(*self._columns).where(col(self.row.document) == document).order_by(col(self.row.number))
        return [Version(*row) for row in await tx.session.execute(statement)]

    async def in_force(self, tx: Transaction, document: str, day: date) -> Version | None:
        """The version that acts of a business day use."""
        return domain.in_force(await self.known(tx, document), day)

    async def newest(self, tx: Transaction, document: str) -> Row | None:
        """The last upload; of a kind without four eyes it is the version in force."""
        found: Row | None = await tx.session.scalar(
            select(self.row).where(col(self.row.document) == document).order_by(col(self.row.number).desc()).limit(1)
        )
        return found

    async def find(self, tx: Transaction, document: str, name: str) -> Row | None:
        found: Row | None = await tx.session.scalar(
            select(self.row).where(col(self.row.document) == document, col(self.row.name) == name)
        )
        return found

    async def get(self, tx: Transaction, document: str, name: str) -> Row:
        """Raises NotFound."""
        found = await self.find(tx, document, name)
        if found is None:
            raise self._not_found()
        return found

    async def page(self, tx: Transaction, document: str, *, after: int | None, limit: int) -> Sequence[Row]:
        """The versions behind a number, without content and differences."""
        statement = (
            select(self.row)
            .where(col(self.row.document) == document)
            .options(defer(self.row.content, raiseload=True), defer(self.row.differences, raiseload=True))  # type: ignore[arg-type]
        )
        return (await tx.session.scalars(page_of(statement, col(self.row.number), after=after, limit=limit))).all()

    async def waiting(self, tx: Transaction) -> dict[str, int]:
        """How many versions wait for a second person, by document."""
        rows = await tx.session.execute(
            select(col(self.row.document), func.count())
            .where(col(self.row.status) == VersionStatus.PROPOSED)
            .group_by(col(self.row.document))
        )
        return {row.document: row[1] for row in rows}

    async def lock(self, tx: Transaction, document: str, name: str, seen: Seen) -> Row:
        """A version; all versions of its document are locked, since a decision on one concerns the others. Raises
        NotFound, StaleVersion."""
        await self._lock_all(tx, document)
        row = await self.get(tx, document, name)
        seen.check(row.revision)
        return row

    async def lock_by_id(self, tx: Transaction, version_id: UUID) -> Row:
        """As `lock`, by the version's own id. Raises NotFound."""
        found = await tx.session.get(self.row, version_id)
        if found is None:
            raise self._not_found()
        await self._lock_all(tx, found.document)
        await tx.session.refresh(found)
        return found

    def _not_found(self) -> NotFound:
        return NotFound(f"{self.kind.noun}-version-not-found", f"There is no such version of this {self.kind.noun}.")

    async def _lock_all(self, tx: Transaction, document: str) -> None:
        await tx.session.execute(select(col(self.row.id)).where(col(self.row.document) == document).with_for_update())

    async def draft(self, tx: Transaction, command: Upload, *, actor: ActorRef) -> Row:
        """What `upload` would store: a dry run. Raises Conflict, Invalid."""
        await self._lock_all(tx, command.document)
        known = await self.known(tx, command.document)
        version = domain.upload(self.kind, command, known, actor=str(actor), now=tx.now)
        if version in known:
            return await self.get(tx, version.document, version.name)
        differences = in_words(command.changes)
        return self.row(id=new_id(), content=command.content, differences=differences, **asdict(version))

    async def upload(self, tx: Transaction, command: Upload, *, actor: ActorRef) -> Row:
        """Store a new version. Raises Conflict, Invalid."""
        row = await self.draft(tx, command, actor=actor)
        tx.session.add(row)
        try:
            await tx.session.flush()
        except IntegrityError:  # another upload took this name, or the first number, at the same moment
            raise domain.name_taken(self.kind, row.name) from None
        return row

    async def approve(self, tx: Transaction, row: Row, *, actor: ActorRef) -> None:
        """Bring a locked version into force from its first day on. Raises Conflict, Forbidden, Invalid."""
        known = await self.known(tx, row.document)
        _store(row, domain.approve(self.kind, _version(row), known, actor=str(actor), now=tx.now))

    def reject(self, tx: Transaction, row: Row, *, actor: ActorRef) -> None:
        """Decide that a locked version does not come into force. Raises Conflict, Forbidden."""
        _store(row, domain.reject(self.kind, _version(row), actor=str(actor), now=tx.now))

    def withdraw(self, tx: Transaction, row: Row, *, actor: ActorRef) -> None:
        """Take a locked version back before its first day. Raises Conflict."""
        _store(row, domain.withdraw(self.kind, _version(row), actor=str(actor), now=tx.now))


def _version(row: VersionColumns) -> Version:
    return Version(*(getattr(row, name) for name in _FIELDS))


def _store(row: VersionColumns, version: Version) -> None:
    for name in _FIELDS:
        if getattr(row, name) != getattr(version, name):
            setattr(row, name, getattr(version, name))


_SHOWN = set(VersionView.model_fields) - {"standing", "first_used_at"}


def shown(row: VersionColumns, *, day: date, is_in_force: bool) -> dict[str, Any]:
    """The fields of a VersionView, but for its first use. A version that was in force for ever has no first day."""
    found = {name: getattr(row, name) for name in _SHOWN}
    if row.effective_from == date.min:
        found["effective_from"] = None
    return found | {"standing": domain.standing(row.status, row.effective_from, day, is_in_force=is_in_force)}
