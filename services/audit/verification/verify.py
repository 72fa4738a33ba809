"""Verification: everything that the trail claims, derived again from the entries' bytes alone.

It reads the database, asks no service, changes nothing, and names what is wrong in each log by index and kind. Its one
rule: the leaves are cut into sections that are scanned side by side, and all is judged here, where they come together.
"""

import os
import secrets
from collections.abc import Callable, Sequence
from itertools import pairwise

from sqlalchemy.engine import make_url

from services.audit.trail.note import Verifier
from services.audit.trail.tiles import TILE_WIDTH
from services.audit.trail.timestamps import TimeAuthority
from services.audit.verification.aggregates import compare_aggregates
from services.audit.verification.domain import Verification
from services.audit.verification.judge import Extent, Judge
from services.audit.verification.scan import Section
from services.audit.verification.signatures import Elsewhere, read_elsewhere
from services.audit.verification.source import Source, open_source
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
    processes: int | None = None,
    leaves_only: bool = False,
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Verify every log of a database (SQLAlchemy URL), on so many processes (default: one a core).

    `against`: checkpoints kept elsewhere, to which their logs are held, too; `authority`: the one under which time
    stamps are verified. `leaves_only`: derive the trees and hold heads, tiles and checkpoints to them, but read no leaf
    and compare no projection. `progress` is called with entries done and in all. Raises TrailMissing, TrailDamaged,
    ForeignCheckpoint, ProcessDied.
    """
    url = make_url(url).render_as_string(hide_password=False)  # what is not quoted rightly is, now
    notes = [against] if isinstance(against, str) else against
    kept = [read_elsewhere(note, origin, verifiers) for note in notes]
    async with open_source(url) as source:
        names = await _log_names(source)
        extents = {name: await _extent(source, name) for name in sorted(names | {each.log for each in kept})}
        key = secrets.token_bytes(32)
        total = sum(extent.rows for extent in extents.values())
        wanted = min(processes or os.cpu_count() or 1, max(1, total // ENTRIES_PER_PROCESS_MIN))
        sections = [
            Section(name, f"{origin}/{name}", start, stop, _sizes(name, extent, kept), leaves_only, key.hex())
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
        logs = []
        for name, extent in extents.items():
            own = [found for section, found in zip(sections, scanned, strict=True) if section.log == name]
            elsewhere = [each for each in kept if each.log == name]
            judge = Judge(source, name, f"{origin}/{name}", extent, own, verifiers, known=name in names)
            logs.append(await judge.judge(key=None if leaves_only else key, elsewhere=elsewhere))
            logs[-1].problems += await time_problems(source, name) + await stamp_problems(source, name, authority)
        if not leaves_only:
            await compare_aggregates(source, logs)
        return Verification(logs)


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


def _sizes(log: str, extent: Extent, kept: Sequence[Elsewhere]) -> tuple[int, ...]:
    """The sizes of trees, beside those of checkpoints, whose roots are needed."""
    return (extent.stop, *sorted({each.size for each in kept if each.log == log}))
