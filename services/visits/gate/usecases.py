"""Judge a step by the law of the place, store the decision whole, and say so. A block is a result, not an error:
it commits, and is answered with its reasons."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.visits.caseload.tables import CaseloadRow
from services.visits.gate.tables import DecisionRow, DecisionRuleRow
from shared.database import Transaction
from shared.events.visits import GateDecided
from shared.ids import new_id
from shared.law import Decision, Facts, Step, Verdict, evaluate, shipped


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


def judge(facts: Facts, step: Step) -> Decision:
    """The decision alone; nothing is stored."""
    return evaluate(shipped().packs_of(facts), step, facts)


def decide(tx: Transaction, case: CaseloadRow, step: Step, facts: Facts, *, visit_id: UUID | None) -> Judged:
    """Judge and store. The caller has locked the case's row."""
    return store(tx, case, judge(facts, step), facts, visit_id=visit_id)


def store(tx: Transaction, case: CaseloadRow, decision: Decision, facts: Facts, *, visit_id: UUID | None) -> Judged:
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
        decision_id=row.id,
        step=decision.step,
        verdict=decision.verdict,
        deciding=[finding.rule_id for finding in decision.deciding],
        rules={finding.rule_id: finding.verdict for finding in decision.findings},
        packs={name: version for name, version, _ in decision.packs},
        decision_digest=row.digest,
    )
    tx.publish(event, aggregate=row, key=case.id, lender_id=case.lender_id)
    return Judged(row.id, decision)


def digest_of(facts: dict[str, Any], decision: dict[str, Any]) -> str:
    """SHA-256 (hex) of facts and decision, keys sorted, no spaces."""
    text = json.dumps([facts, decision], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def refusal(judged: Judged) -> dict[str, Any]:
    """A block as the fields of a problem document: the rules, their reasons, inputs and sources."""
    rules = [
        {
            "rule_id": finding.rule_id,
            "reason": {"en": finding.reason_en, "zh": finding.reason_zh},
            "inputs": finding.inputs,
            "source": finding.source,
            "missing": list(finding.missing),
            "override": finding.override,
        }
        for finding in judged.decision.deciding
    ]
    return {"decision_id": str(judged.id), "step": judged.decision.step, "rules": rules}
