"""Search in the trail: pages of entries by log and index, oldest first. A search is held to the sizes that the logs had
when it began, so its pages stay what they were while the logs grow."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select, union

from services.audit.search.domain import Search
from services.audit.tlog.leaf import instant
from services.audit.trail.entries import ACCESS
from services.audit.trail.queries import inclusion
from services.audit.trail.schemas import EntryView, ProvenEntryView
from services.audit.trail.storage import head_of
from services.audit.trail.tables import ENTRY, ENTRY_RULE, ENTRY_SUBJECT, HEAD, SUBJECT_HEAD
from shared.database import Transaction
from shared.errors import Invalid, NotFound

LOGS_MAX = 200
STREAM_ROWS = 500
Sizes = dict[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind this place of this log. A place is an index, or a subject's number."""

    log: str
    after: int


@dataclass(frozen=True, slots=True)
class Found:
    items: list[EntryView]
    next: Place | None


async def subjects_of(tx: Transaction, search: Search) -> list[tuple[str, ...]]:
    """What the entries must name: one of each group. A debtor is named by its own subject and by its cases'."""
    return [
        (ref, *(await cases_of_debtor(tx, ref))) if ref.startswith("debtor:") else (ref,) for ref in search.subjects
    ]


async def cases_of_debtor(tx: Transaction, ref: str) -> list[str]:
    """The cases of a debtor, as subjects: CaseOpened names both."""
    logs = select(HEAD.c.log_id)
    rows = await tx.session.scalars(
        select(ENTRY.c.case_id)
        .join(ENTRY_SUBJECT, (ENTRY_SUBJECT.c.log_id == ENTRY.c.log_id) & (ENTRY_SUBJECT.c.idx == ENTRY.c.idx))
        .where(ENTRY_SUBJECT.c.log_id.in_(logs), ENTRY_SUBJECT.c.ref == ref, ENTRY.c.case_id.is_not(None))
        .where(ENTRY.c.log_id != ACCESS)  # who searches for a debtor and a case does not make it his
        .distinct()
    )
    return [f"case:{case_id}" for case_id in rows]


async def sizes_of(
    tx: Transaction, search: Search, groups: Sequence[tuple[str, ...]], size: int | None = None
) -> Sizes:
    """The logs to look through, each with its size now, or `size` for the one that is named. Raises NotFound for an
    unknown log, Invalid for a size beyond the tree or too many logs."""
    if size is not None and search.log is None:
        raise Invalid("size-of-which-log", "`size` needs `log`: name the log whose size it is.")
    if search.log is not None:
        newest, _ = await head_of(tx, search.log)
        if size is not None and size > newest:
            raise Invalid("beyond-the-tree", f"The log has {newest} entries: 0 <= size <= {newest}.")
        return {search.log: newest if size is None else size}
    rows = await tx.session.execute(select(HEAD.c.log_id, HEAD.c.size).order_by(HEAD.c.log_id))
    sizes = {row.log_id: row.size for row in rows}
    for refs in groups:
        naming = await _logs_naming(tx, refs, list(sizes))
        sizes = {log: size for log, size in sizes.items() if log in naming}
    if len(sizes) > LOGS_MAX:
        raise Invalid(
            "too-many-logs", f"The search covers {len(sizes)} logs, more than {LOGS_MAX}: name one with `log`."
        )
    return sizes


async def _logs_naming(tx: Transaction, refs: Sequence[str], logs: Sequence[str]) -> set[str]:
    """The logs with entries about one of these subjects, by its count or, should that be gone, by its first entry."""
    heads = select(SUBJECT_HEAD.c.log_id).where(SUBJECT_HEAD.c.log_id.in_(logs), SUBJECT_HEAD.c.ref.in_(refs))
    firsts = select(ENTRY_SUBJECT.c.log_id).where(
        ENTRY_SUBJECT.c.log_id.in_(logs), ENTRY_SUBJECT.c.ref.in_(refs), ENTRY_SUBJECT.c.n == 1
    )
    return set(await tx.session.scalars(union(heads, firsts)))


async def page_of(
    tx: Transaction,
    search: Search,
    groups: Sequence[tuple[str, ...]],
    sizes: Mapping[str, int],
    *,
    after: Place | None,
    limit: int,
) -> Found:
    """At most `limit` entries behind a place, of these logs as of these sizes."""
    items: list[EntryView] = []
    last: Place | None = None
    for log in sorted(log for log in sizes if after is None or log >= after.log):
        behind = after.after if after is not None and log == after.log else -1
        statement = _of_log(search, groups, log, behind, sizes[log]).limit(limit - len(items) + 1)
        for row in await tx.session.execute(statement):
            if len(items) == limit:
                return Found(items, last)
            items.append(_view(log, row))
            last = Place(log, row.place)
    return Found(items, None)


async def stream(
    tx_of: Any, search: Search, groups: Sequence[tuple[str, ...]], sizes: Mapping[str, int]
) -> AsyncIterator[Sequence[EntryView]]:
    """All of them, a page at a time, each read in a transaction of its own that `tx_of()` opens."""
    after: Place | None = None
    while True:
        async with tx_of() as tx:
            found = await page_of(tx, search, groups, sizes, after=after, limit=STREAM_ROWS)
        if found.items:
            yield found.items
        after = found.next
        if after is None:
            return


def _of_log(search: Search, groups: Sequence[tuple[str, ...]], log: str, behind: int, size: int) -> Select[Any]:
    """The entries of one log that fit, by the index that names the fewest: a subject, a rule, or a column."""
    columns = (ENTRY.c.idx, ENTRY.c.leaf_hash, ENTRY.c.leaf)
    conditions = [ENTRY.c.log_id == log, *_conditions(search)]
    conditions += [_names(refs, log) for refs in groups[1:]]
    if search.rule is not None and groups:
        deciding = ENTRY_RULE.c.log_id == log, ENTRY_RULE.c.rule_id == search.rule, ENTRY_RULE.c.idx == ENTRY.c.idx
        conditions.append(exists().where(*deciding).correlate(ENTRY))
    if groups and len(groups[0]) == 1:
        subject = ENTRY_SUBJECT.c
        return (
            select(subject.n.label("place"), *columns)
            .join(ENTRY, (ENTRY.c.log_id == subject.log_id) & (ENTRY.c.idx == subject.idx))
            .where(subject.log_id == log, subject.ref == groups[0][0], subject.n > behind, subject.idx < size)
            .where(*conditions)
            .order_by(subject.n)
        )
    if groups:
        conditions.append(_names(groups[0], log))
    elif search.rule is not None:
        rule = ENTRY_RULE.c
        return (
            select(rule.idx.label("place"), *columns)
            .join(ENTRY, (ENTRY.c.log_id == rule.log_id) & (ENTRY.c.idx == rule.idx))
            .where(rule.log_id == log, rule.rule_id == search.rule, rule.idx > behind, rule.idx < size, *conditions)
            .order_by(rule.idx)
        )
    return (
        select(ENTRY.c.idx.label("place"), *columns)
        .where(ENTRY.c.idx > behind, ENTRY.c.idx < size, *conditions)
        .order_by(ENTRY.c.idx)
    )


def _names(refs: Sequence[str], log: str) -> ColumnElement[bool]:
    """The entry names one of these subjects."""
    naming = select(ENTRY_SUBJECT.c.idx).where(ENTRY_SUBJECT.c.log_id == log, ENTRY_SUBJECT.c.ref.in_(refs))
    return ENTRY.c.idx.in_(naming)


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    found = [
        column == value
        for column, value in (
            (ENTRY.c.outcome, search.outcome),
            (ENTRY.c.correlation_id, search.correlation),
        )
        if value is not None
    ]
    if len(search.actors) == 1:
        found.append(ENTRY.c.actor == search.actors[0])
    elif search.actors:
        found.append(ENTRY.c.actor.in_(search.actors))
    if len(search.types) == 1:
        found.append(ENTRY.c.type == search.types[0])
    elif search.types:
        found.append(ENTRY.c.type.in_(search.types))
    if search.occurred_from is not None:
        found.append(ENTRY.c.occurred_at >= instant(search.occurred_from))
    if search.occurred_until is not None:
        found.append(ENTRY.c.occurred_at < instant(search.occurred_until))
    return found


def _view(log: str, row: Any) -> EntryView:
    return EntryView(log=log, index=row.idx, leaf_hash=row.leaf_hash.hex(), leaf=decoded(row.leaf) or {})


def decoded(leaf: bytes) -> dict[str, Any] | None:
    """The leaf as it reads, or None where somebody altered its bytes so that it does not."""
    try:
        found = json.loads(leaf)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


async def kept_criteria(tx: Transaction, search: Search) -> dict[str, Any]:
    """The criteria as they may stand in the trail: a free word only if some entry bears it already."""
    criteria = search.criteria()
    in_any_log = ENTRY_RULE.c.log_id.in_(select(HEAD.c.log_id))
    for name, borne in (
        ("outcome", ENTRY.c.outcome == search.outcome),
        ("acted_by", ENTRY.c.actor.in_(search.actors)),
        ("correlation", ENTRY.c.correlation_id == search.correlation),
        ("rule", in_any_log & (ENTRY_RULE.c.rule_id == search.rule)),
    ):
        if name in criteria and not await tx.session.scalar(select(exists().where(borne))):
            del criteria[name]
    return criteria


async def get_entry(tx: Transaction, log_id: str, index: int) -> ProvenEntryView:
    """One entry to the byte, with the proof that it is in the log."""
    row = (
        await tx.session.execute(
            select(ENTRY.c.leaf_hash, ENTRY.c.leaf).where(ENTRY.c.log_id == log_id, ENTRY.c.idx == index)
        )
    ).first()
    if row is None:
        raise NotFound("entry-not-found", "There is no such entry here.")
    return ProvenEntryView(
        log=log_id,
        index=index,
        leaf_hash=row.leaf_hash.hex(),
        leaf=json.loads(row.leaf),
        leaf_text=row.leaf.decode(),
        inclusion=await inclusion(tx, log_id, index, None),
    )
