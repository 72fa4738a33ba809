"""What logs say of each other, checked: `trail.heads` in the operator's log against every log, and the newest heartbeat
of each log against the operator's. A statement counts only as far as the log that makes it is whole itself.
"""

from collections.abc import Iterable, Mapping, Sequence

from services.audit.trail.entries import HEADS, HEARTBEAT, OPERATOR, RESTORED
from services.audit.trail.statements import (
    HEADS_READ_MAX,
    NEWEST,
    RESTORED_READ_MAX,
    Restoration,
    Statement,
    newest_statements,
    restorations_in,
)
from services.audit.verification.domain import CAUSES, Kind, LogVerification, log_named
from services.audit.verification.judge import Judge
from services.audit.verification.source import Source

HEARTBEATS_READ = 1
WORSE = CAUSES | {Kind.ROOT_DIFFERS, Kind.ROLLED_BACK, Kind.FORKED}


async def statements_of(source: Source, logs: Iterable[str]) -> list[Statement]:
    """The newest word of each log about another."""
    heads = await source.all(NEWEST, OPERATOR, HEADS, HEADS_READ_MAX)
    found = newest_statements(OPERATOR, [(index, bytes(leaf)) for index, leaf in heads])
    for log in sorted(logs):
        beats = await source.all(NEWEST, log, HEARTBEAT, HEARTBEATS_READ)
        found += newest_statements(log, [(index, bytes(leaf)) for index, leaf in beats])
    return found


async def restorations_of(source: Source, signed: int) -> list[Restoration]:
    """What was given up, as signed entries of the operator's log say."""
    rows = await source.all(NEWEST, OPERATOR, RESTORED, RESTORED_READ_MAX)
    return restorations_in([(index, bytes(leaf)) for index, leaf in rows if index < signed])


def compare_statements(
    judges: Mapping[str, Judge], logs: list[LogVerification], statements: Sequence[Statement]
) -> None:
    """Add to each log what another says of it that does not hold, unless worse is known of it already."""
    found = {log.log: [problem for problem in log.problems if problem.kind in WORSE] for log in logs}
    for said in statements:
        whole = all(problem.index > said.index for problem in found.get(said.by, ()))
        if not whole or found.get(said.log) or said.log not in judges:
            continue
        where = f"recorded by entry {said.index} of the log {said.by}"
        if problem := judges[said.log].contradiction(said.size, said.root, where):
            log_named(logs, said.log).problems.append(problem)
