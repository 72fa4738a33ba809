"""What an export is made of, read from the trail: checkpoints, indexes, counts, entries and the hashes of their proofs.
Everything is read as of a size, below which nothing of a log ever changes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from services.audit.attestations.checkpoints import verifier_of
from services.audit.attestations.tables import CHECKPOINT
from services.audit.export.domain import (
    ENTRIES_MAX,
    SUBJECTS_MAX,
    Question,
    Range,
    Subject,
    SubjectCount,
    TrailDoesNotHold,
)
from services.audit.export.outside.verify import Wrong, check
from services.audit.export.schemas import ExportView, ProblemView, VerificationView
from services.audit.export.signed import Signed, signed_at
from services.audit.export.tables import EXPORT, EXPORT_PART
from services.audit.search.queries import cases_of_debtor
from services.audit.settings import AuditSettings
from services.audit.story.queries import zone_of
from services.audit.tlog.merkle import Get, inclusion_ranges
from services.audit.tlog.note import Checkpoint
from services.audit.trail.entries import ACCESS, OPERATOR
from services.audit.trail.storage import hashes_for, head_of
from services.audit.trail.tables import ENTRY, ENTRY_SUBJECT, SUBJECT_HEAD
from shared.clock import system_now
from shared.database import Database, Transaction
from shared.errors import Invalid, NotFound, TooLarge
from shared.listing import page_of


@dataclass(frozen=True, slots=True)
class LogPart:
    """What an export takes of one log, as of a checkpoint."""

    signed: Signed
    indexes: list[int]
    counts: list[SubjectCount]

    @property
    def log(self) -> str:
        return self.signed.log

    @property
    def checkpoint(self) -> Checkpoint:
        return self.signed.checkpoint


@dataclass(frozen=True, slots=True)
class Plan:
    """What an export holds: its question, the subjects that answer it, and a part of each log. `made_at`: when it was
    ordered for the first time at these sizes; the same order again names the same time, so its bytes are the same."""

    question: Question
    refs: list[str]
    parts: list[LogPart]
    made_at: datetime

    @property
    def entries(self) -> int:
        return sum(len(part.indexes) for part in self.parts)

    @property
    def sizes(self) -> dict[str, int]:
        return {part.log: part.checkpoint.size for part in self.parts}

    @property
    def lender(self) -> str | None:
        """The lender, where all entries are of one (who read of it aside)."""
        lenders = {part.log for part in self.parts if part.indexes} - {ACCESS}
        return lenders.pop() if len(lenders) == 1 and OPERATOR not in lenders else None


async def plan(tx: Transaction, question: Question, as_of: Mapping[str, int] | None = None) -> Plan:
    """What answers a question, as of these logs at these sizes (default: all that could, at their newest checkpoints).

    Raises NotFound where nothing does, TooLarge above ENTRIES_MAX entries, Invalid for a size or range beyond a tree.
    """
    now = system_now()
    if isinstance(question, Range):
        found = Plan(question, [], [await _range_part(tx, question, (as_of or {}).get(question.log))], now)
        return await _dated(tx, found) if as_of else found
    refs = await _refs(tx, question)
    sizes = dict(as_of) if as_of else dict.fromkeys(await _logs_about(tx, refs))
    parts = [await _subject_part(tx, log, refs, size) for log, size in sorted(sizes.items())]
    # A case that was opened after these sizes is no part of the answer.
    then = {question.ref, *(count.ref for part in parts for count in part.counts if count.count)}
    parts = [replace(part, counts=[count for count in part.counts if count.ref in then]) for part in parts]
    found = Plan(question, sorted(then), parts, now)
    if not found.entries:
        raise NotFound("nothing-to-export", f"No entry of the trail is about this {question.kind}.")
    if found.entries > ENTRIES_MAX:
        raise TooLarge(
            "export-too-large", f"More than {ENTRIES_MAX} entries are about this: export pieces of the log instead."
        )
    return await _dated(tx, found) if as_of else found


async def _dated(tx: Transaction, found: Plan) -> Plan:
    """The plan with the time of the first order of this question at these sizes, if there was one."""
    rows = await tx.session.execute(
        select(EXPORT.c.made_at, EXPORT.c.question, EXPORT.c.sizes)
        .where(EXPORT.c.entries == found.entries, EXPORT.c.made_at.is_not(None))
        .order_by(EXPORT.c.id)
    )
    same = (row.made_at for row in rows if (row.question, row.sizes) == (found.question.to_json(), found.sizes))
    return replace(found, made_at=next(same, found.made_at))


async def _refs(tx: Transaction, question: Subject) -> list[str]:
    """The subjects to export, sorted: with a debtor, all of his cases, as the trail knows them."""
    if question.kind != "debtor":
        return [question.ref]
    refs = sorted({question.ref, *(await cases_of_debtor(tx, question.ref))})
    if len(refs) > SUBJECTS_MAX:
        raise TooLarge("export-too-large", f"More than {SUBJECTS_MAX} cases: export them one at a time.")
    return refs


async def _logs_about(tx: Transaction, refs: Sequence[str]) -> list[str]:
    """The logs with an entry about one of these; and the two that could have one, to say that they have none."""
    named = await tx.session.scalars(select(SUBJECT_HEAD.c.log_id).where(SUBJECT_HEAD.c.ref.in_(refs)).distinct())
    ours = await tx.session.scalars(
        select(CHECKPOINT.c.log_id).where(CHECKPOINT.c.log_id.in_((ACCESS, OPERATOR))).distinct()
    )
    return sorted({*named, *ours})


async def _range_part(tx: Transaction, question: Range, size: int | None) -> LogPart:
    signed = await signed_at(tx, question.log, size)
    signed_size = signed.checkpoint.size
    if question.stop > signed_size:
        raise Invalid(
            "beyond-the-tree", f"`until` must be at most {signed_size}: so many entries of {question.log} are signed."
        )
    return LogPart(signed, list(range(question.start, question.stop)), [])


async def _subject_part(tx: Transaction, log: str, refs: Sequence[str], size: int | None) -> LogPart:
    signed = await signed_at(tx, log, size)
    signed_size = signed.checkpoint.size
    rows = await tx.session.execute(
        select(ENTRY_SUBJECT.c.ref, func.count(), func.max(ENTRY_SUBJECT.c.idx))
        .where(ENTRY_SUBJECT.c.log_id == log, ENTRY_SUBJECT.c.ref.in_(refs), ENTRY_SUBJECT.c.idx < signed_size)
        .group_by(ENTRY_SUBJECT.c.ref)
    )
    counted = {ref: (count, last) for ref, count, last in rows.all()}
    hashes = await _leaf_hashes(tx, log, {last for _, last in counted.values()})
    indexes = await tx.session.scalars(
        select(ENTRY_SUBJECT.c.idx)
        .where(ENTRY_SUBJECT.c.log_id == log, ENTRY_SUBJECT.c.ref.in_(refs), ENTRY_SUBJECT.c.idx < signed_size)
        .distinct()
        .order_by(ENTRY_SUBJECT.c.idx)
        .limit(ENTRIES_MAX + 1)
    )
    counts = [
        SubjectCount(ref, counted[ref][0], hashes[counted[ref][1]]) if ref in counted else SubjectCount(ref, 0, None)
        for ref in refs
    ]
    return LogPart(signed, list(indexes), counts)


async def _leaf_hashes(tx: Transaction, log: str, indexes: set[int]) -> dict[int, bytes]:
    rows = await tx.session.execute(
        select(ENTRY.c.idx, ENTRY.c.leaf_hash).where(ENTRY.c.log_id == log, ENTRY.c.idx.in_(indexes))
    )
    found = {row.idx: row.leaf_hash for row in rows}
    if missing := indexes - set(found):
        raise TrailDoesNotHold(f"entry {min(missing)} of {log} is not there")
    return found


async def zone_of_plan(tx: Transaction, plan: Plan) -> ZoneInfo:
    """The time zone of the debtor's address, by whose clock the report tells; UTC for a piece of a log."""
    cases = [ref for ref in plan.refs if ref.startswith("case:")]
    if plan.refs and not cases:
        cases = sorted(await cases_of_debtor(tx, plan.refs[0]))
    return await zone_of(tx, cases[0], plan.sizes) if cases else ZoneInfo("UTC")


async def load_entries(
    tx: Transaction, log: str, indexes: Sequence[int], size: int
) -> tuple[list[tuple[int, bytes]], Get]:
    """Entries to the byte, and what the proofs of them in the tree of this size are made from. Raises
    TrailDoesNotHold."""
    head_size, _ = await head_of(tx, log)
    ranges = [each for index in indexes for each in inclusion_ranges(index, size)]
    try:
        get = await hashes_for(tx, log, head_size, ranges)
    except ValueError as error:
        raise TrailDoesNotHold(f"the tree of {log} cannot be put together ({error})") from error
    rows = await tx.session.execute(
        select(ENTRY.c.idx, ENTRY.c.leaf).where(ENTRY.c.log_id == log, ENTRY.c.idx.in_(indexes)).order_by(ENTRY.c.idx)
    )
    found = [(index, leaf) for index, leaf in rows.all()]
    if len(found) != len(indexes):
        raise TrailDoesNotHold(f"of {len(indexes)} entries of {log}, {len(found)} are there")
    return found, get


async def list_exports(tx: Transaction, *, after: UUID | None, limit: int) -> list[ExportView]:
    """Exports, the newest first."""
    statement = page_of(select(EXPORT), EXPORT.c.id, after=after, limit=limit, newest_first=True)
    return [ExportView.model_validate(row._mapping) for row in (await tx.session.execute(statement)).all()]


async def get_export(tx: Transaction, export_id: UUID) -> ExportView:
    """One export. Raises NotFound."""
    row = (await tx.session.execute(select(EXPORT).where(EXPORT.c.id == export_id))).first()
    if row is None:
        raise NotFound("export-not-found", "There is no such export here.")
    return ExportView.model_validate(row._mapping)


async def file_parts(database: Database, export_id: UUID) -> AsyncIterator[bytes]:
    """An export's file, piece by piece; each is read by itself, so that a slow reader holds no transaction open."""
    n = 0
    while True:
        async with database.reading() as tx:
            part: bytes | None = await tx.session.scalar(
                select(EXPORT_PART.c.data).where(EXPORT_PART.c.export_id == export_id, EXPORT_PART.c.n == n)
            )
        if part is None:
            return
        yield part
        n += 1


def verify(file: IO[bytes], settings: AuditSettings) -> VerificationView:
    """Whether an export holds under our key. CPU-bound: run it in a thread."""
    try:
        found = check(file, verifier_of(settings).vkey)
    except Wrong as wrong:
        problem = ProblemView(kind=wrong.kind, place=wrong.place, detail=wrong.detail)
        return VerificationView(ok=False, problem=problem)
    return VerificationView(ok=True, checked=found.statements, notes=found.warnings)
