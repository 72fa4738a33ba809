"""The newest version of each aggregate, by which a missing event is noticed: held to the entries' columns, once those
were held to the leaves. Its one rule: it belongs to no log, so what is wrong is named where the aggregate's last entry
stands; where there is none, at the end of the operator's log."""

from services.audit.trail.entries import OPERATOR
from services.audit.verification.domain import (
    CAUSES,
    PROBLEMS_MAX,
    Kind,
    LogVerification,
    Problem,
    first_causes,
    log_named,
)
from services.audit.verification.source import Source

WRONG = """
SELECT aggregate_id FROM (
    SELECT aggregate_id, version FROM aggregate_head
    UNION ALL
    SELECT aggregate_id, max(aggregate_version) FROM entry WHERE aggregate_id IS NOT NULL GROUP BY aggregate_id
) AS versions
GROUP BY aggregate_id HAVING count(*) <> 2 OR min(version) <> max(version) LIMIT $1"""
LAST = "SELECT log_id, idx FROM entry WHERE aggregate_id = $1 ORDER BY aggregate_version DESC, idx DESC LIMIT 1"


async def compare_aggregates(source: Source, logs: list[LogVerification]) -> None:
    """Add to each log what its aggregates' heads say wrongly. Nothing while an entry or a column is not what it was:
    that the heads do not fit then only follows."""
    if any(problem.kind in CAUSES | {Kind.PROJECTION_DIFFERS} for log in logs for problem in log.problems):
        return
    by_name = {log.log: log for log in logs}
    for (aggregate,) in await source.all(WRONG, PROBLEMS_MAX):
        rows = await source.all(LAST, aggregate)
        if rows:
            [[name, index]] = rows
            detail = "the head of an aggregate does not say the version of its last entry, which is this"
        else:
            by_name.setdefault(OPERATOR, log_named(logs, OPERATOR))
            name, index, detail = OPERATOR, by_name[OPERATOR].size, "the head of an aggregate has no entry"
        by_name[name].problems.append(Problem(index, Kind.PROJECTION_DIFFERS, detail))
    for log in logs:
        log.problems = first_causes(log.problems)
