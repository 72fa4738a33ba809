"""Verification: everything that the trail claims, derived again from the entries' bytes alone.

It reads the database, asks no service, changes nothing, and names what is wrong in each log by index and kind. Its one
rule: the leaves are cut into sections that are scanned side by side, and all is judged here, where they come together.
"""

import json
import os
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlalchemy.engine import make_url

from services.audit.attestations.tails import UNSIGNED_SECONDS_MAX
from services.audit.attestations.timestamps import TimeAuthority
from services.audit.tlog.note import Verifier
from services.audit.tlog.tiles import TILE_WIDTH
from services.audit.trail.entries import HEADS, OPERATOR
from services.audit.trail.state import COPIES
from services.audit.trail.statements import NEWEST, Statement
from services.audit.verification.aggregates import compare_aggregates
from services.audit.verification.crossing import compare_statements, restorations_of, statements_of
from services.audit.verification.domain import (
    Kind,
    LogVerification,
    Problem,
    Verification,
    first_causes,
    log_named,
)
from services.audit.verification.guards import missing_guards
from services.audit.verification.judge import Extent, Judge
from services.audit.verification.scan import Scanned, Section
from services.audit.verification.signatures import Elsewhere, read_elsewhere
from services.audit.verification.source import Source, open_source
from services.audit.verification.sources import compare_sources, newest_beginning, positions_of
from services.audit.verification.stamps import stamp_problems, time_problems
from services.audit.verification.workers import scan_all

SECTION_ENTRIES_MIN = 64 * 1024
SECTION_ENTRIES_WANTED = 1024 * 1024
SECTIONS_MAX = 16
ENTRIES_PER_PROCESS_MIN = 20_000
GAP_ENTRIES_MAX = 64 * 1024
TABLES = ("entry", "head", "checkpoint", "tile", "entry_subject", "entry_rule", "subject_head")

# The names of the logs in a table, by its primary key: one step a log, however many rows.
LOGS = """
WITH RECURSIVE logs AS (
    SELECT min(log_id) AS log_id FROM {table}
    UNION ALL
    SELECT (SELECT min(log_id) FROM {table} WHERE log_id > logs.log_id) FROM logs WHERE log_id IS NOT NULL
)
SELECT log_id FROM logs WHERE log_id IS NOT NULL"""

Progress = Callable[[int, int], object]


async def verify(
    url: str,
    *,
    verifiers: Sequence[Verifier],
    origin: str,
    against: str | Sequence[str] = (),
    authority: TimeAuthority | None = None,
    copies_in: str | None = None,
    copies_expected: bool = False,
    processes: int | None = None,
    leaves_only: bool = False,
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Verify every log of a database (SQLAlchemy URL), on so many processes (default: one a core).

    `against`: checkpoints kept elsewhere, against which their logs are checked, too; `authority`: the one under which
    time stamps are verified; `copies_in`: the folder whose copies `against` holds; it must have one of each log if that
    is expected, by `copies_expected` or by what the database remembers. `leaves_only`: derive the trees and compare
    heads, tiles and checkpoints with them, but read no leaf and compare no projection. `progress` is
    called with entries done and in all. Raises TrailMissing, TrailDamaged, ForeignCheckpoint, ProcessDied.
    """
    url = make_url(url).render_as_string(hide_password=False)  # what is not quoted rightly is, now
    notes = [against] if isinstance(against, str) else against
    kept = [read_elsewhere(note, origin, verifiers) for note in notes]
    async with open_source(url) as source:
        now = datetime.now(UTC)
        names = await _log_names(source)
        statements = await statements_of(source, names)
        named = {each.log for each in kept} | {each.log for each in statements}
        extents = {name: await _extent(source, name) for name in sorted(names | named)}
        positions = await positions_of(source)
        begun = await newest_beginning(source)
        key = secrets.token_bytes(32)
        total = sum(extent.rows for extent in extents.values())
        wanted = min(processes or os.cpu_count() or 1, max(1, total // ENTRIES_PER_PROCESS_MIN))
        sections = [
            Section(
                name,
                f"{origin}/{name}",
                start,
                stop,
                _sizes(name, extent, [*kept, *statements]),
                leaves_only,
                key.hex(),
                positions,
                begun.sizes.get(name, 0),
            )
            for name, extent in extents.items()
            for start, stop in pairwise(_cuts(extent.stop, wanted))
        ]
        vkeys = [verifier.vkey for verifier in verifiers]
        done = 0

        def on_read(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        scanned = await scan_all(source, url, sections, vkeys, processes=wanted, progress=on_read)
        logs, judges = [], {}
        given_up = await restorations_of(source, _signed(sections, scanned, OPERATOR))
        for name, extent in extents.items():
            own = [found for section, found in zip(sections, scanned, strict=True) if section.log == name]
            elsewhere = [each for each in kept if each.log == name]
            judges[name] = Judge(
                source,
                name,
                f"{origin}/{name}",
                extent,
                own,
                verifiers,
                known=name in names,
                now=now,
                given_up=[each for each in given_up if each.log == name],
            )
            logs.append(await judges[name].judge(key=None if leaves_only else key, elsewhere=elsewhere))
            logs[-1].problems += await time_problems(source, name, now) + await stamp_problems(source, name, authority)
        compare_statements(judges, logs, statements)
        if not leaves_only:
            await compare_aggregates(source, logs)
            await compare_sources(source, logs, [found.offsets for found in scanned], begun)
        await _compare_guards(source, logs)
        if copies_in is not None and (copies_expected or await _copies_expected(source, copies_in)):
            await _compare_copies(source, logs, kept, copies_in, now)
        for log in logs:
            log.problems = first_causes(log.problems)
        notes = [note for judge in judges.values() for note in judge.notes]
        return Verification(logs, vkeys, notes)


def _signed(sections: Sequence[Section], scanned: Sequence[Scanned], log: str) -> int:
    """The largest size of a log that a checkpoint of ours signs, if the leaves bear it out so far as they were read."""
    return max(
        (
            each.size
            for section, found in zip(sections, scanned, strict=True)
            if section.log == log
            for each in found.checkpoints
            if each.root
        ),
        default=0,
    )


async def _compare_guards(source: Source, logs: list[LogVerification]) -> None:
    """Name the triggers that do not guard the tables any more. They belong to no log: at the end of the operator's."""
    if missing := await missing_guards(source):
        operator = log_named(logs, OPERATOR)
        detail = f"the tables can be changed: {', '.join(missing)}"
        operator.problems.append(Problem(operator.size, Kind.TRIGGER_MISSING, detail))


async def _copies_expected(source: Source, folder: str) -> bool:
    """Whether the database remembers that checkpoints were copied there. That of a release without copies does not."""
    if await source.has_table("trail_state"):
        for (value,) in await source.all("SELECT value FROM trail_state WHERE name = $1", COPIES):
            if json.loads(value)["folder"] == folder:
                return True
    return bool(await source.all(NEWEST, OPERATOR, HEADS, 1))


async def _compare_copies(
    source: Source, logs: list[LogVerification], kept: Sequence[Elsewhere], folder: str, now: datetime
) -> None:
    """Each log that was signed more than a minute ago has a copy as new in the folder."""
    newest: dict[str, int] = {}
    for each in kept:
        newest[each.log] = max(newest.get(each.log, 0), each.size)
    query = "SELECT max(size) FROM checkpoint WHERE log_id = $1 AND made_at < $2"
    settled_before = (now - timedelta(seconds=UNSIGNED_SECONDS_MAX)).isoformat()
    for log in logs:
        [[settled]] = await source.all(query, log.log, settled_before)
        signed, copied = min(settled or 0, log.checkpoint_size), newest.get(log.log, 0)
        if copied < signed:
            detail = f"{signed} entries are signed; the copy in {folder} signs {copied or 'nothing'}: was it removed?"
            log.problems.append(Problem(copied, Kind.UNSIGNED, detail))


async def _log_names(source: Source) -> set[str]:
    """The logs of which any table knows: one whose entries were all removed is not forgotten."""
    return {row[0] for table in TABLES for row in await source.all(LOGS.format(table=table))}


async def _extent(source: Source, log: str) -> Extent:
    """How far to look: to the last entry, but not beyond the head, nor over a hole without end."""
    [[rows, last]] = await source.all("SELECT count(*), max(idx) FROM entry WHERE log_id = $1", log)
    [[strange]] = await source.all("SELECT min(idx) FROM entry WHERE log_id = $1 AND idx < 0", log)
    heads = await source.all("SELECT size FROM head WHERE log_id = $1", log)
    reach = min(rows + GAP_ENTRIES_MAX, -1 if last is None else last) + 1
    stop = max(0, min([reach, *(row[0] for row in heads)]))
    [[beyond]] = await source.all("SELECT min(idx) FROM entry WHERE log_id = $1 AND idx >= $2", log, stop)
    return Extent(rows, stop, strange if strange is not None else beyond)


def _cuts(stop: int, processes: int) -> list[int]:
    """Where the sections of a log begin and end: one a process, or more of a size that fits its memory; but not too
    many, since each looks once through the index of subjects, and must prove where it meets the others."""
    parts = max(processes, min(SECTIONS_MAX, stop // SECTION_ENTRIES_WANTED))
    wanted = max(SECTION_ENTRIES_MIN, -(-stop // parts))
    return [*range(0, stop, -(-wanted // TILE_WIDTH) * TILE_WIDTH), stop]


def _sizes(log: str, extent: Extent, kept: Sequence[Elsewhere | Statement]) -> tuple[int, ...]:
    """The sizes of trees, beside those of checkpoints, whose roots are needed."""
    return (extent.stop, *sorted({each.size for each in kept if each.log == log}))
