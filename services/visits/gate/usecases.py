"""Judge a step by the law of the place, store the decision whole, and say so. A block is a result, not an error:
it commits, and is answered with its reasons."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.visits.base import LAWBOOK
from services.visits.caseload import usecases as caseload
from services.visits.caseload.tables import CaseloadRow
from services.visits.gate.domain import digest_of
from services.visits.gate.kept_packs import keep
from services.visits.gate.schemas import GroundBody
from services.visits.gate.tables import DecisionRow, DecisionRuleRow, GroundRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Invalid, NotFound
from shared.events.visits import GateDecided, GroundRecorded, OverrideUsed
from shared.ids import new_id
from shared.law import Decision, Facts, Step, Verdict, evaluate


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision and the id under which it is stored."""

    id: UUID
    decision: Decision

    @property
    def blocked(self) -> bool:
        return self.decision.verdict is Verdict.BLOCK

    @property
    def rules(self) -> list[str]:
        return [finding.rule_id for finding in self.decision.deciding]


async def judge_all(tx: Transaction, step: Step, acts: Sequence[Facts]) -> list[Decision]:
    """A decision on each of many acts, for the caller to store, who has locked the cases' rows."""
    law = await LAWBOOK.law(tx)
    packs = [law.packs_of(facts) for facts in acts]
    await keep(tx, (pack for of_act in packs for pack in of_act))

    def judged() -> list[Decision]:
        return [evaluate(of_act, step, facts) for of_act, facts in zip(packs, acts, strict=True)]

    return await asyncio.to_thread(judged)


async def decide(tx: Transaction, case: CaseloadRow, step: Step, facts: Facts, *, visit_id: UUID | None) -> Judged:
    """Judge by the law of the act's day, and store. The caller has locked the case's row."""
    packs = (await LAWBOOK.law(tx)).packs_of(facts)
    await keep(tx, packs)
    return store(tx, case, evaluate(packs, step, facts), visit_id=visit_id)


def store(tx: Transaction, case: CaseloadRow, decision: Decision, *, visit_id: UUID | None) -> Judged:
    """Store a decision with the facts that it rests on, and publish it."""
    document, told = decision.to_json(), decision.facts.to_json()
    row = DecisionRow(
        id=new_id(),
        case_id=case.id,
        visit_id=visit_id,
        step=decision.step,
        verdict=decision.verdict,
        facts=told,
        decision=document,
        digest=digest_of(told, document),
        decided_at=tx.now,
        version=0,
    )
    tx.session.add(row)
    for finding in decision.findings:
        if finding.verdict is not Verdict.PASS:
            tx.session.add(
                DecisionRuleRow(
                    decision_id=row.id, rule_id=finding.rule_id, step=decision.step, verdict=finding.verdict
                )
            )
    event = GateDecided(
        case_id=case.id,
        visit_id=visit_id,
        collector_ids=_team_of(decision),
        decision_id=row.id,
        step=decision.step,
        verdict=decision.verdict,
        deciding=[finding.rule_id for finding in decision.deciding],
        rules={finding.rule_id: finding.verdict for finding in decision.findings},
        packs={name: version for name, version, _ in decision.packs},
        decision_digest=row.digest,
    )
    tx.publish(event, aggregate=row, lender_id=case.lender_id)
    _tell_overrides(tx, case, row, decision)
    return Judged(row.id, decision)


def _team_of(decision: Decision) -> list[UUID] | None:
    """The collectors whose act was judged, where the facts name a team."""
    return [UUID(collector.ref) for collector in decision.facts.collectors or ()] or None


def _tell_overrides(tx: Transaction, case: CaseloadRow, row: DecisionRow, decision: Decision) -> None:
    """Each rule that an override lifted is evidence of its own."""
    for finding in decision.findings:
        if finding.override is None or finding.overridden_by is None:
            continue
        event = OverrideUsed(
            case_id=case.id,
            visit_id=row.visit_id,
            collector_ids=_team_of(decision),
            decision_id=row.id,
            step=decision.step,
            rule_id=finding.rule_id,
            override=finding.override,
            grounds=finding.overridden_by,
        )
        tx.publish(event, aggregate=row, lender_id=case.lender_id)


async def record_ground(tx: Transaction, body: GroundBody, *, actor: Actor) -> GroundRow:
    """Record what lifts a rule, with the digest of its proof. Raises NotFound, or Invalid for one that has ended."""
    if body.valid_until is not None and body.valid_until <= tx.now:
        raise Invalid("ground-ended", "`valid_until` must be after now.")
    case = (await caseload.lock_all(tx, [body.case_id])).get(body.case_id)
    if case is None:
        raise NotFound("case-not-found", "There is no such case here.")
    row = GroundRow(id=new_id(), given_at=tx.now, recorded_by=str(actor.ref), version=0, **body.model_dump())
    tx.session.add(row)
    caseload.record_ground(case, row.id, ground=row.ground, given_at=row.given_at, valid_until=row.valid_until)
    event = GroundRecorded(
        case_id=case.id,
        ground_id=row.id,
        ground=row.ground,
        valid_until=row.valid_until,
        proof_digest=row.proof_digest,
    )
    tx.publish(event, aggregate=row, lender_id=case.lender_id)
    return row


def refusal(judged: Judged) -> dict[str, Any]:
    """A block as the fields of a problem document: the rules, their reasons, inputs and sources."""
    rules = [
        {
            "rule_id": finding.rule_id,
            "reason": {"en": finding.reason_en, "zh": finding.reason_zh},
            "inputs": finding.inputs,
            "source": finding.source,
            "missing": list(finding.missing),
            "remedy": judged.decision.remedies.get(finding.rule_id),
            "override": finding.override,
        }
        for finding in judged.decision.deciding
    ]
    return {"decision_id": str(judged.id), "step": judged.decision.step, "rules": rules}
