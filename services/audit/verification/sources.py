"""Whether each record that was taken from the bus is named by an entry: a log that was cut or removed with all that
stands beside it leaves a hole in the offsets. What belongs to no log is named at the end of the operator's.
"""

from collections.abc import Mapping, Sequence

from services.audit.trail.entries import HEADS, OPERATOR, RESTORED
from services.audit.trail.statements import (
    HEADS_READ_MAX,
    NEWEST,
    RESTORED_READ_MAX,
    Beginning,
    beginning_in,
    positions_in,
)
from services.audit.verification.domain import CAUSES, Kind, LogVerification, Problem, log_named
from services.audit.verification.offsets import OFFSET_MAX, Taken, name_of
from services.audit.verification.source import Source

POSITIONS = "SELECT topic, part, next_offset FROM kafka_pos ORDER BY topic, part"
SKIPPED = """
SELECT source_skip.off, source_skip.event_id = '' OR entry.idx IS NOT NULL FROM source_skip
LEFT JOIN entry ON entry.log_id = source_skip.log_id AND entry.event_id = source_skip.event_id
WHERE source_skip.topic = $1 AND source_skip.part = $2 AND source_skip.off < $3
AND source_skip.generation = $4"""


async def positions_of(source: Source) -> dict[str, int] | None:
    """The offset behind the last record that was taken, by partition. None for a trail of a release that did not note
    which records make no entry: its holes mean nothing."""
    if not await source.has_table("source_skip"):
        return None
    return {name_of(topic, part): int(end) for topic, part, end in await source.all(POSITIONS)}


async def newest_beginning(source: Source) -> Beginning:
    """Since when the offsets are those of the present bus."""
    rows = await source.all(NEWEST, OPERATOR, RESTORED, RESTORED_READ_MAX)
    return beginning_in([(index, bytes(leaf)) for index, leaf in rows])


async def compare_sources(
    source: Source, logs: list[LogVerification], offsets: Sequence[Mapping[str, str]], begun: Beginning
) -> None:
    """Add to the operator's log what is missing. Nothing while entries of a log are known to be missing or altered:
    that their records have no entry then only follows."""
    if not await source.has_table("source_skip"):
        return
    if any(problem.kind in CAUSES for log in logs for problem in log.problems):
        return
    taken, found = Taken(offsets), []
    said = await _said(source, begun)
    for topic, part, end in await source.all(POSITIONS):
        rows = await source.all(SKIPPED, topic, part, end, begun.generation)
        skipped = [off for off, known in rows if known]
        if missing := taken.missing(name_of(topic, part), end, skipped):
            first, count = missing
            found.append(f"{topic}/{part}: the record at offset {first} was taken and has no entry ({count} in all)")
        then, count_then = said.pop((topic, part), (0, 0))
        if end < then:
            found.append(f"{topic}/{part}: {then} records were taken, as a signed entry says; the table says {end}")
        elif count_then != sum(off < then for off, _ in rows):
            found.append(f"{topic}/{part}: of {then} records {count_then} made no entry, as a signed entry says")
    found += [
        f"{topic}/{part}: {then} records were taken; no table says so" for (topic, part), (then, _) in said.items()
    ]
    if found:
        operator = log_named(logs, OPERATOR)
        operator.problems += [Problem(operator.size + n, Kind.SOURCE_MISSING, words) for n, words in enumerate(found)]


async def _said(source: Source, begun: Beginning) -> dict[tuple[str, int], tuple[int, int]]:
    """How far each partition was taken, and how many of its records made no entry, as the newest `trail.heads` say."""
    for index, leaf in await source.all(NEWEST, OPERATOR, HEADS, HEADS_READ_MAX):
        if index < begun.index:
            break
        if positions := positions_in(bytes(leaf)):
            return {(topic, part): (end, skipped) for topic, part, end, skipped in positions if end < OFFSET_MAX}
    return {}
