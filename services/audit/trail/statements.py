"""What logs say of each other: `trail.heads` in the operator's log gives size and root of every log, and the heartbeat
of every log gives size and root of the operator's. Who shortens, rewrites or removes one log contradicts another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from sqlalchemy import select

from services.audit.trail.entries import HEADS, HEARTBEAT, OPERATOR, RESTORED
from services.audit.trail.tables import ENTRY, HEAD
from shared.database import Transaction

HEADS_READ_MAX = 40
HEADS_LOGS_MAX = 250  # in one leaf
RESTORED_READ_MAX = 1_000
NEWEST = "SELECT idx, leaf FROM entry WHERE log_id = $1 AND type = $2 ORDER BY idx DESC LIMIT $3"


@dataclass(frozen=True, slots=True)
class Statement:
    """Entry `index` of the log `by` says: the log `log` had `size` entries and this root."""

    by: str
    index: int
    log: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Restoration:
    """Entry `index` of the operator's log says: `log` went on from `size` entries; checkpoints above that, up to
    `lost_size`, are of entries that are lost."""

    index: int
    log: str
    size: int
    lost_size: int
    lost_root: str

    def covers(self, size: int) -> bool:
        """Whether a checkpoint of this size was given up by this restoration."""
        return self.size < size <= self.lost_size


def newest_statements(by: str, leaves: Iterable[tuple[int, bytes]]) -> list[Statement]:
    """What these entries (the newest first) say of each log, the newest word only. What cannot be read says nothing:
    verification names it as altered."""
    found: dict[str, Statement] = {}
    for index, leaf in leaves:
        for each in _statements(by, index, _data(leaf)):
            found.setdefault(each.log, each)
    return list(found.values())


def _data(leaf: bytes) -> Mapping[str, Any]:
    try:
        data = from_json(leaf)["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}


def _statements(by: str, index: int, data: Mapping[str, Any]) -> list[Statement]:
    try:
        named = [(OPERATOR, data["operator"])] if "operator" in data else []
        named += [(each["log"], each) for each in data.get("logs", ())]
        return [Statement(by, index, log, int(head["size"]), bytes.fromhex(head["root"])) for log, head in named]
    except (KeyError, TypeError, ValueError):
        return []


def restorations_in(leaves: Iterable[tuple[int, bytes]]) -> list[Restoration]:
    """What entries `trail.restored` say was given up."""
    found = []
    for index, leaf in leaves:
        for each in _data(leaf).get("logs", ()):
            try:
                if each["lost_size"] is not None:
                    found.append(
                        Restoration(index, each["log"], each["size"], int(each["lost_size"]), str(each["lost_root"]))
                    )
            except (KeyError, TypeError, ValueError):
                continue
    return found


@dataclass(frozen=True, slots=True)
class Beginning:
    """Entry `index` of the operator's log says: the bus was lost; offsets began again when the logs had these sizes."""

    index: int = -1
    generation: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)


def beginning_in(leaves: Iterable[tuple[int, bytes]]) -> Beginning:
    """The newest beginning among entries `trail.restored` (the newest first); else that of the trail itself."""
    for index, leaf in leaves:
        bus = _data(leaf).get("bus")
        try:
            if bus is not None:
                return Beginning(index, int(bus["generation"]), {str(log): int(size) for log, size in bus["sizes"]})
        except (KeyError, TypeError, ValueError):
            continue
    return Beginning()


def positions_in(leaf: bytes) -> list[tuple[str, int, int, int]]:
    """How far `trail.heads` says each partition was taken: topic, partition, next offset, records without an entry."""
    try:
        return [
            (str(each["topic"]), int(each["partition"]), int(each["next_offset"]), int(each["skipped"]))
            for each in _data(leaf).get("sources", ())
        ]
    except (KeyError, TypeError, ValueError):
        return []


async def stored_statements(tx: Transaction) -> list[Statement]:
    """The newest word of every log about another, as the database has it."""
    found = newest_statements(OPERATOR, await _newest(tx, OPERATOR, HEADS, HEADS_READ_MAX))
    for log in await tx.session.scalars(select(HEAD.c.log_id).order_by(HEAD.c.log_id)):
        found += newest_statements(log, await _newest(tx, log, HEARTBEAT, 1))
    return found


async def stored_restorations(tx: Transaction, signed_size: int) -> list[Restoration]:
    """The restorations that stand under a signature: the operator's log is signed up to this size."""
    rows = await _newest(tx, OPERATOR, RESTORED, RESTORED_READ_MAX)
    return restorations_in([(index, leaf) for index, leaf in rows if index < signed_size])


async def _newest(tx: Transaction, log: str, type: str, count: int) -> list[tuple[int, bytes]]:
    rows = await tx.session.execute(
        select(ENTRY.c.idx, ENTRY.c.leaf)
        .where(ENTRY.c.log_id == log, ENTRY.c.type == type)
        .order_by(ENTRY.c.idx.desc())
        .limit(count)
    )
    return [(row.idx, row.leaf) for row in rows]
