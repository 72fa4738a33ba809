"""What is personal about our own people, sealed in the vault: a collector's name and the values of changes by the
collector's key, the reason for other members of a team by a key of its own."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.visits.people.tables import CollectorChangeRow, CollectorRow, TeamMembersRow
from shared.database import Transaction
from shared.sealing import Place
from shared.vault import Erased, Item

RECORD = "record"
"""The class of a collector's name and of what was changed about the person."""
REASON = "reason"


def subject_of(collector_id: UUID) -> str:
    """The subject of a collector."""
    return f"collector/{collector_id.hex}"


def _members(row: TeamMembersRow) -> str:
    return f"team/{row.team_id.hex}/members/{row.id.hex}"


def _name(collector_id: UUID) -> Place:
    return Place("collector", "sealed_name", (collector_id,), before="collector-name")


def _details(change_id: UUID) -> Place:
    return Place("collector_change", "sealed_details", (change_id,), before="collector-change")


def _reason(row: TeamMembersRow) -> Place:
    return Place("team_members", "sealed_reason", (row.id,), before="team-members-reason")


async def seal_name(tx: Transaction, collector_id: UUID, name: str) -> bytes:
    """Raises Erased."""
    return await tx.vault.seal(subject_of(collector_id), RECORD, _name(collector_id), name.encode())


async def name_of(tx: Transaction, row: CollectorRow) -> str:
    """The collector's name. Raises Erased."""
    [name] = await names_of(tx, [row])
    return name


async def names_of(tx: Transaction, rows: Sequence[CollectorRow]) -> list[str]:
    """The names of collectors, in order. Raises Erased."""
    items = [Item(subject_of(row.id), _name(row.id), row.sealed_name) for row in rows]
    return [opened.decode() for opened in await _open_all(tx, items)]


async def seal_details(tx: Transaction, collector_id: UUID, change_id: UUID, details: Mapping[str, Any]) -> bytes:
    """Reason, old and new values of a change. Raises Erased."""
    packed = json.dumps(details, ensure_ascii=False).encode()
    return await tx.vault.seal(subject_of(collector_id), RECORD, _details(change_id), packed)


async def details_of(tx: Transaction, changes: Sequence[CollectorChangeRow]) -> list[dict[str, Any]]:
    """Reason, old and new values of changes, in order. Raises Erased."""
    items = [Item(subject_of(change.collector_id), _details(change.id), change.sealed_details) for change in changes]
    return [json.loads(opened) for opened in await _open_all(tx, items)]


async def seal_reason(tx: Transaction, row: TeamMembersRow, reason: str) -> bytes:
    return await tx.vault.seal(_members(row), REASON, _reason(row), reason.encode(), new=True)


async def reasons_of(tx: Transaction, rows: Sequence[TeamMembersRow]) -> dict[UUID, str]:
    """Why a team got other members, by the id of the change, where there is one that was not erased."""
    given = {row.id: Item(_members(row), _reason(row), row.sealed_reason) for row in rows if row.sealed_reason}
    opened = await tx.vault.open_all(REASON, list(given.values()))
    return {id: reason.decode() for id, reason in zip(given, opened, strict=True) if reason is not None}


async def _open_all(tx: Transaction, items: Sequence[Item]) -> list[bytes]:
    opened = []
    for each in await tx.vault.open_all(RECORD, items):
        if each is None:
            raise Erased
        opened.append(each)
    return opened
