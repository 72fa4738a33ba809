"""What a version of a pack would have decided on past acts: the facts that stand in stored decisions are judged again.
It is bounded, nothing is stored, and the judging leaves the event loop, a page at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.visits.gate import queries as gate
from services.visits.gate.tables import DecisionRow
from services.visits.rulepacks.domain import BackTest
from shared.database import Transaction
from shared.law import Facts, Law, RulePack, Step, evaluate, local_day

PAGE_DECISIONS = 250


@dataclass(frozen=True, slots=True)
class Trial:
    """The version that is tried, and the law as it stands without it."""

    pack: RulePack
    law: Law


async def back_test(
    tx: Transaction, trial: Trial, *, first_day: date | None, last_day: date | None, decisions_max: int
) -> BackTest:
    """Try a version on the newest decisions of these days (UTC)."""
    found, before, left = BackTest(), None, decisions_max
    while left > 0:
        rows = await gate.page_backwards(
            tx, before=before, first_day=first_day, last_day=last_day, limit=min(left, PAGE_DECISIONS)
        )
        if not rows:
            break
        before, left = rows[-1].id, left - len(rows)
        await asyncio.to_thread(_judge_again, found, rows, trial)
    return found


def _judge_again(found: BackTest, rows: Sequence[DecisionRow], trial: Trial) -> None:
    """Count the decisions in which the pack would have had a say."""
    for row in rows:
        facts = Facts.from_json(row.facts)
        day = local_day(facts)
        packs = trial.law.with_version(trial.pack, day).packs_on(facts, day)
        if trial.pack not in packs:
            continue
        decision = evaluate(packs, Step(row.step), facts)
        found.add(
            row.id,
            before={
                finding["rule_id"]: finding["verdict"]
                for finding in row.decision["findings"]
                if finding["pack"] == trial.pack.id
            },
            after={each.rule_id: each.verdict for each in decision.findings if each.pack == trial.pack.id},
            verdict_before=row.verdict,
            verdict_after=decision.verdict,
        )
