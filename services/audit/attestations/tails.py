"""Entries that no checkpoint covers, looked at before they are signed. A crash between commit and checkpoint leaves
some; so does a forger who removes checkpoints. The source tells them apart: each entry of an honest tail follows, byte
for byte, from the record on the bus that it names.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select

from services.audit.attestations.checkpoints import Head
from services.audit.tlog.canonical import NotCanonical
from services.audit.tlog.leaf import LEAF_BYTES_MAX, Leaf, LeafTooLarge, NotALeaf, decode, instant
from services.audit.tlog.leaf_writer import place
from services.audit.trail import entries
from services.audit.trail.entries import Draft, draft_of
from services.audit.trail.state import TrailBroken
from services.audit.trail.tables import ENTRY, HEAD
from shared.bus.transport import Partition, Record, Transport
from shared.database import Database, Transaction

UNSIGNED_SECONDS_MAX = 60.0
PAGE_ENTRIES = 1_000
NAMED_LATER = ("collector", "promise")  # an entry of an earlier release may lack these subjects
SOURCE_SECONDS_MAX = 60.0
REMEDY = "Run `doorstep trail verify`. `doorstep trail restore` goes on from here, on the record."


async def check_ages(tx: Transaction, tails: list[Head]) -> None:
    """While the system works, a checkpoint follows within seconds. So a tail is no older than a minute at the time of
    the newest entry of any log. Raises TrailBroken."""
    if not tails:
        return
    newest = and_(ENTRY.c.log_id == HEAD.c.log_id, ENTRY.c.idx == HEAD.c.size - 1)  # one step a log, by its key
    last = await tx.session.scalar(select(func.max(ENTRY.c.recorded_at)).select_from(HEAD).join(ENTRY, newest))
    if last is None:  # every head speaks of an entry that is not there: check_source names it
        return
    try:
        earliest = instant(datetime.fromisoformat(last) - timedelta(seconds=UNSIGNED_SECONDS_MAX))
    except ValueError:
        raise TrailBroken(f"an entry was recorded at no time. {REMEDY}") from None
    for tail in tails:
        first = await tx.session.scalar(
            select(ENTRY.c.recorded_at).where(ENTRY.c.log_id == tail.log_id, ENTRY.c.idx == tail.signed)
        )
        if first is None or first < earliest:
            raise TrailBroken(
                f"log {tail.log_id}: the entries from {tail.signed} on are older than a minute, and no checkpoint "
                f"signs them. Were checkpoints removed? {REMEDY}"
            )


async def check_source(database: Database, transport: Transport, tail: Head) -> None:
    """Each entry of a tail is what its record on the bus makes of it. The bus is asked outside of any transaction: it
    may take a minute to answer. Raises TrailBroken, TransportDown."""
    for start in range(tail.signed, tail.size, PAGE_ENTRIES):
        stop = min(start + PAGE_ENTRIES, tail.size)
        async with database.reading() as tx:
            rows = await tx.session.execute(
                select(ENTRY.c.idx, ENTRY.c.leaf).where(
                    ENTRY.c.log_id == tail.log_id, ENTRY.c.idx >= start, ENTRY.c.idx < stop
                )
            )
            leaves = {index: bytes(leaf) for index, leaf in rows}
        read = {index: _read(tail, index, leaf) for index, leaf in sorted(leaves.items())}
        records = await _records(transport, list(read.values()))
        for index in range(start, stop):
            leaf = read.get(index)
            if leaf is None or not follows(leaf, leaves[index], tail.log_id, _record_of(leaf, records)):
                raise TrailBroken(
                    f"log {tail.log_id}: no checkpoint signs entry {index}, and it does not follow from a record on "
                    f"the bus. {REMEDY}"
                )


def _read(tail: Head, index: int, leaf: bytes) -> Leaf:
    try:
        return decode(leaf)
    except (NotALeaf, NotCanonical, LeafTooLarge):
        detail = f"log {tail.log_id}: no checkpoint signs entry {index}, and it is no leaf. {REMEDY}"
        raise TrailBroken(detail) from None


async def _records(transport: Transport, leaves: Collection[Leaf]) -> Mapping[tuple[Partition, int], Record]:
    """The records that these leaves name, as far as the bus still has them."""
    wanted: dict[Partition, set[int]] = {}
    for leaf in leaves:
        if leaf.source is not None:
            wanted.setdefault(Partition(leaf.source.topic, leaf.source.partition), set()).add(leaf.source.offset)
    ends = await transport.ends(sorted({place.topic for place in wanted})) if wanted else {}
    spans = {
        place: (min(offsets), min(max(offsets) + 1, ends[place]))
        for place, offsets in wanted.items()
        if place in ends and min(offsets) < ends[place]
    }
    found: dict[tuple[Partition, int], Record] = {}
    if not spans:
        return found
    with suppress(TimeoutError):  # of records that were removed a broker says nothing
        async with asyncio.timeout(SOURCE_SECONDS_MAX):
            async for records in transport.history(spans):
                for record in records:
                    if record.offset in wanted[record.partition]:
                        found[record.partition, record.offset] = record
    return found


def _record_of(leaf: Leaf, records: Mapping[tuple[Partition, int], Record]) -> Record | None:
    source = leaf.source
    return None if source is None else records.get((Partition(source.topic, source.partition), source.offset))


def follows(leaf: Leaf, data: bytes, log: str, record: Record | None) -> bool:
    """Whether an entry of a log is the one that this record makes; or, of no record, a beat of the trail itself."""
    try:
        draft = _derived(leaf, record)
    except (KeyError, TypeError, ValueError):
        return False
    if draft is None or draft.log != log:
        return False
    subjects = [(each.ref, each.n, each.prev) for each in leaf.subjects]
    named = [ref for ref, _, _ in subjects]
    if named not in (list(draft.refs), [ref for ref in draft.refs if ref.partition(":")[0] not in NAMED_LATER]):
        return False
    return place(draft.leaf, instant(leaf.recorded_at), subjects) == data


def _derived(leaf: Leaf, record: Record | None) -> Draft | None:
    """The draft that should have become this leaf; None where nothing could."""
    data, now = leaf.data, leaf.occurred_at
    if leaf.source is None:
        if leaf.type == entries.HEARTBEAT:
            said = data.get("operator")
            operator = (int(said["size"]), bytes.fromhex(said["root"])) if isinstance(said, dict) else None
            return entries.heartbeat(leaf.log, int(str(data["beat"])), int(str(data["every_seconds"])), now, operator)
        if leaf.type == entries.HEADS:
            return entries.heads(int(str(data["part"])), data, now)
        return None
    if record is None:
        return None
    draft = draft_of(record, now)
    if leaf.type == entries.REJECTED and (draft.type == entries.REJECTED or _is_too_large(draft)):
        return entries.rejected(record, str(data["reason"]), now)  # another release may give the reason in other words
    if leaf.type == entries.CONFLICT:
        return entries.conflict(record, draft, now)
    if leaf.type == entries.GAP:
        return entries.gap(record, draft, int(str(data["from_version"])), now)
    return draft


def _is_too_large(draft: Draft) -> bool:
    """Whether a draft was near the limit of a leaf: its own place takes some bytes for each subject."""
    spelled = sum(map(len, draft.leaf))
    return spelled + 60 + 200 * len(draft.refs) > LEAF_BYTES_MAX
