"""A dry run of a pack: the facts of stored decisions are judged again, with one version more in the law."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date

from services.visits.gate import queries as gate
from services.visits.gate.tables import DecisionRow
from shared.database import Transaction
from shared.law import Facts, Law, RulePack, Step, evaluate, local_day
from shared.versions.trial import Retried, Trial, try_on

PAGE_DECISIONS = 250


@dataclass(frozen=True, slots=True)
class Tried:
    """The version that is tried, and the law without it."""

    pack: RulePack
    law: Law


async def back_test(
    tx: Transaction, tried: Tried, *, first_day: date | None, last_day: date | None, decisions_max: int
) -> Trial:
    """Try a version on the newest decisions of these days (UTC)."""

    async def pages() -> AsyncIterator[Sequence[DecisionRow]]:
        before, left = None, decisions_max
        while left > 0 and (
            rows := await gate.page_backwards(
                tx, before=before, first_day=first_day, last_day=last_day, limit=min(left, PAGE_DECISIONS)
            )
        ):
            yield rows
            before, left = rows[-1].id, left - len(rows)

    return await try_on(pages(), lambda row: _judged_again(row, tried))


def _judged_again(row: DecisionRow, tried: Tried) -> Retried | None:
    """None where the pack would not have judged."""
    facts = Facts.from_json(row.facts)
    day = local_day(facts)
    packs = tried.law.with_version(tried.pack, day).packs_on(facts, day)
    if tried.pack not in packs:
        return None
    decision = evaluate(packs, Step(row.step), facts)
    pack_id = tried.pack.id
    return Retried(
        row.id,
        was=row.verdict,
        would_be=decision.verdict,
        parts_were={each["rule_id"]: each["verdict"] for each in row.decision["findings"] if each["pack"] == pack_id},
        parts_would_be={each.rule_id: each.verdict for each in decision.findings if each.pack == pack_id},
    )
