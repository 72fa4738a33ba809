"""Is that all? The entries of a subject counted, their chain walked and its end held to the signed tree. It reads what
is stored, not what was kept in mind, so that a row removed from the database shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from services.audit.attestations.queries import newest_checkpoint
from services.audit.search.domain import Chain, Gap, Numbered, event_missing, not_indexed, verdict_words
from services.audit.search.queries import decoded
from services.audit.search.schemas import GapView, SubjectCount, VerdictView
from services.audit.tlog.note import Checkpoint, NoteInvalid, Verifier, open_note
from services.audit.trail.queries import inclusion
from services.audit.trail.subjects import COLLECTOR, SUBJECTS_OF
from services.audit.trail.tables import ENTRY, ENTRY_SUBJECT, SUBJECT_HEAD
from shared.database import Transaction
from shared.sums import exact_sum

ENTRIES_AT_ONCE = 1_000
AGGREGATES_AT_ONCE = 500
NAMING_COLLECTORS = [type for type, paths in SUBJECTS_OF.items() if {"visit", COLLECTOR} <= {*paths.values()}]
# A search brings its verdict along for subjects of no more entries than this; others have it at a route of its own.
ENTRIES_INLINE_MAX = 2_000


async def verdict_of(
    tx: Transaction, refs: Sequence[str], sizes: Mapping[str, int], *, verifier: Verifier | None = None
) -> VerdictView:
    """The verdict on these subjects (one, or a debtor with its cases) in these logs as of these sizes. With a verifier
    it is thorough: each log is counted whole, and the newest entry of each subject is proven to be in the tree that
    was signed."""
    chains = [chain for log in sorted(sizes) for ref in refs if (chain := await _walk(tx, log, ref, sizes[log]))]
    gaps = [gap for chain in chains for gap in chain.gaps]
    gaps += await _missing_events(tx, chains)
    gaps += [gap for chain in chains if (gap := await _not_indexed(tx, chain)) is not None]
    proven = verifier is not None
    if verifier is not None:
        for log in sorted({chain.log for chain in chains}):
            mine = [chain for chain in chains if chain.log == log]
            signed, wrong = await _prove(tx, log, sizes[log], mine, verifier)
            proven = proven and signed
            gaps += wrong
    found = len({(chain.log, index) for chain in chains for index in chain.intact})
    entries_gone = sum(chain.counted - len(chain.intact) for chain in chains)
    events_gone = sum(gap.kind == "event-missing" for gap in gaps)  # those of entries that are gone are among them
    expected = found + max(entries_gone, events_gone)
    zh, en = verdict_words(found, expected, gaps)
    return VerdictView(
        complete=not gaps,
        found=found,
        expected=expected,
        zh=zh,
        en=en,
        proven=proven and not gaps,
        subjects=[
            SubjectCount(log=chain.log, ref=chain.ref, size=chain.size, counted=chain.counted, found=len(chain.intact))
            for chain in chains
        ],
        gaps=[GapView.of(gap) for gap in gaps],
    )


async def count_of(tx: Transaction, refs: Sequence[str], sizes: Mapping[str, int]) -> int:
    """How many entries these subjects have, by the logs' own counts."""
    total = await tx.session.scalar(
        select(exact_sum(SUBJECT_HEAD.c.n)).where(SUBJECT_HEAD.c.log_id.in_(sizes), SUBJECT_HEAD.c.ref.in_(refs))
    )
    return int(total or 0)


async def _walk(tx: Transaction, log: str, ref: str, size: int) -> Chain | None:
    """The chain of a subject, walked; None where the log knows nothing of it."""
    subject = ENTRY_SUBJECT.c
    mine = (subject.log_id == log) & (subject.ref == ref)
    count = await tx.session.scalar(
        select(SUBJECT_HEAD.c.n).where(SUBJECT_HEAD.c.log_id == log, SUBJECT_HEAD.c.ref == ref)
    )
    newest = await tx.session.scalar(select(func.max(subject.n)).where(mine, subject.idx < size))
    later = await tx.session.scalar(select(func.count()).where(mine, subject.idx >= size, subject.n <= (count or 0)))
    counted = max((count or 0) - (later or 0), newest or 0)
    if not counted:
        return None
    chain = Chain(log, ref, size, counted)
    last = 0
    while True:
        rows = await tx.session.execute(
            select(subject.n, subject.idx, ENTRY.c.leaf_hash, ENTRY.c.leaf)
            .outerjoin(ENTRY, (ENTRY.c.log_id == subject.log_id) & (ENTRY.c.idx == subject.idx))
            .where(mine, subject.n > last, subject.n <= counted)
            .order_by(subject.n)
            .limit(ENTRIES_AT_ONCE)
        )
        found = [_numbered(row) for row in rows]
        chain.take(found)
        if len(found) < ENTRIES_AT_ONCE:
            chain.finish()
            return chain
        last = found[-1].n


def _numbered(row: Any) -> Numbered:
    leaf = None if row.leaf is None else decoded(row.leaf)
    aggregate, source = (leaf or {}).get("aggregate"), (leaf or {}).get("source")
    made = None
    if aggregate and source:  # spelled as the column aggregate_id is
        made = f"{source['topic'].partition('.')[0]}:{aggregate['id']}", aggregate["version"]
    return Numbered(row.n, row.idx, row.leaf_hash, row.leaf, leaf, made)


async def _missing_events(tx: Transaction, chains: Sequence[Chain]) -> list[Gap]:
    """The events that a service counted before the newest one of an aggregate, and that are in no log."""
    newest, logs = dict[str, int](), dict[str, str]()
    for chain in chains:
        for aggregate, version in chain.versions.items():
            if version > 1:
                newest[aggregate] = max(version, newest.get(aggregate, 0))
                logs.setdefault(aggregate, chain.log)
    gaps, waiting = [], sorted(newest)
    while waiting:
        some, waiting = waiting[:AGGREGATES_AT_ONCE], waiting[AGGREGATES_AT_ONCE:]
        rows = await tx.session.execute(
            select(ENTRY.c.aggregate_id, ENTRY.c.aggregate_version).where(ENTRY.c.aggregate_id.in_(some))
        )
        come = {(row.aggregate_id, row.aggregate_version) for row in rows}
        for aggregate in some:
            missing = (n for n in range(1, newest[aggregate] + 1) if (aggregate, n) not in come)
            gaps += [event_missing(logs[aggregate], aggregate, n) for n in missing]
    return gaps


async def _not_indexed(tx: Transaction, chain: Chain) -> Gap | None:
    """What an earlier release wrote of a collector's acts and visits without naming the collector."""
    if not chain.ref.startswith(f"{COLLECTOR}:"):
        return None
    in_log = (ENTRY.c.log_id == chain.log) & (ENTRY.c.idx < chain.size)
    acts = set(await tx.session.scalars(select(ENTRY.c.idx).where(in_log, ENTRY.c.actor == chain.ref)))
    found, waiting = acts - chain.walked, sorted(chain.visits)
    while waiting:
        some, waiting = waiting[:AGGREGATES_AT_ONCE], waiting[AGGREGATES_AT_ONCE:]
        rows = await tx.session.execute(
            select(ENTRY.c.idx, ENTRY.c.leaf)
            .join(ENTRY_SUBJECT, (ENTRY_SUBJECT.c.log_id == ENTRY.c.log_id) & (ENTRY_SUBJECT.c.idx == ENTRY.c.idx))
            .where(in_log, ENTRY_SUBJECT.c.log_id == chain.log, ENTRY_SUBJECT.c.ref.in_(some))
            .where(ENTRY.c.type.in_(NAMING_COLLECTORS))
        )
        found |= {row.idx for row in rows if row.idx not in chain.walked and not _names_a_collector(row.leaf)}
    return not_indexed(chain.log, chain.ref, found) if found else None


def _names_a_collector(leaf: bytes) -> bool:
    subjects = (decoded(leaf) or {}).get("subjects", ())
    return any(each["ref"].startswith(f"{COLLECTOR}:") for each in subjects)


async def _prove(
    tx: Transaction, log: str, size: int, chains: Sequence[Chain], verifier: Verifier
) -> tuple[bool, list[Gap]]:
    """Whether the chains' newest entry is in a tree that was signed, and what speaks against it: entries gone from the
    log, or a tree that does not fit. What came a moment ago is not signed yet; that speaks against nothing."""
    stored = await tx.session.scalar(select(func.count()).where(ENTRY.c.log_id == log, ENTRY.c.idx < size))
    if stored != size:
        zh = f"日誌 {log} 應有 {size} 筆，只剩 {stored} 筆；不見的可能與此有關。"
        en = f"Log {log} holds {stored} of its {size} entries; what is gone may be about this."
        return False, [Gap("log-incomplete", log, zh, en)]
    last = max((index for chain in chains for index in chain.intact), default=None)
    signed = await _signed(tx, log, verifier)
    if last is None or signed is None or signed.size <= last:
        return False, []
    leaf_hash = await tx.session.scalar(select(ENTRY.c.leaf_hash).where(ENTRY.c.log_id == log, ENTRY.c.idx == last))
    try:
        proof = await inclusion(tx, log, last, signed.size)
        fits = (proof.root, proof.leaf_hash) == (signed.root.hex(), (leaf_hash or b"").hex())
    except ValueError:  # the tree cannot even be put together
        fits = False
    if fits:
        return True, []
    zh = f"日誌 {log} 的第 {last} 號不在已簽署的樹中。"
    return False, [
        Gap("unproven", log, zh, f"Entry {last} of log {log} is not in the tree that was signed.", index=last)
    ]


async def _signed(tx: Transaction, log: str, verifier: Verifier) -> Checkpoint | None:
    """The newest checkpoint, where it is ours."""
    newest = await newest_checkpoint(tx, log)
    if newest is None:
        return None
    try:
        return Checkpoint.parse(open_note(newest[1], verifier))
    except NoteInvalid:
        return None
