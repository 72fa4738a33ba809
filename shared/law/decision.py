"""A decision: what every rule found, and the verdict that follows; in words and as JSON, there and back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.law.facts import Facts
from shared.law.names import REMEDIES, Name
from shared.law.terms import Step, Verdict

VERDICT_WORDS = {
    Verdict.PASS: {"en": "allowed", "zh": "准許"},
    Verdict.WARN: {"en": "allowed, with warnings", "zh": "准許，但有警示"},
    Verdict.BLOCK: {"en": "not allowed", "zh": "不准許"},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found.

    `overridden_by` is the id of the evidence that lifted it, or the id of the rule that did. `incident`: somebody must
    look into it; `record_incomplete`: a proof is missing that should have been made.
    """

    rule_id: str
    pack: str
    verdict: Verdict
    reason_en: str
    reason_zh: str
    inputs: dict[str, Any]
    source: str
    authority: str
    verified: str
    override: str | None = None
    overridden_by: str | None = None
    missing: tuple[str, ...] = ()
    record_incomplete: bool = False
    incident: bool = False

    @property
    def remedy(self) -> Name | None:
        """How the fact is recorded that the rule needs, in English and Chinese; None where the reason says enough. A
        stored decision does not hold it."""
        asked = (*self.missing, *self.inputs)
        return next((REMEDIES[name] for name in asked if name in REMEDIES), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "rule_id": self.rule_id,
            "pack": self.pack,
            "verdict": self.verdict.value,
            "reason": {"en": self.reason_en, "zh": self.reason_zh},
            "inputs": self.inputs,
            "source": self.source,
            "authority": self.authority,
            "verified": self.verified,
            "override": self.override,
            "overridden_by": self.overridden_by,
            "missing": list(self.missing),
            "record_incomplete": self.record_incomplete,
            "incident": self.incident,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Finding":
        told = dict(document)
        reason = told.pop("reason")
        told |= {"verdict": Verdict(told["verdict"]), "missing": tuple(told["missing"])}
        return cls(reason_en=reason["en"], reason_zh=reason["zh"], **told)


@dataclass(frozen=True, slots=True)
class Decision:
    """Every rule's finding, the verdict, and the facts with what was looked up for them: enough to run it again."""

    step: Step
    facts: Facts
    time_zone: str | None
    packs: tuple[tuple[str, str, str], ...]
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def at(self) -> datetime:
        return self.facts.at

    @property
    def jurisdiction(self) -> str:
        return self.facts.jurisdiction

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that made the verdict; none for a pass."""
        if self.verdict is Verdict.PASS:
            return ()
        return tuple(finding for finding in self.findings if finding.verdict is self.verdict)

    @property
    def record_incomplete(self) -> bool:
        return any(finding.record_incomplete for finding in self.findings)

    @property
    def incidents(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.incident)

    @property
    def missing(self) -> list[str]:
        """Proofs and facts that should be there and are not."""
        return sorted({name for finding in self.findings for name in finding.missing})

    @property
    def remedies(self) -> dict[str, dict[str, str]]:
        """By rule: how the facts are recorded that the deciding rules need."""
        found = {each.rule_id: each.remedy for each in self.deciding}
        return {rule_id: {"en": how[0], "zh": how[1]} for rule_id, how in found.items() if how}

    def to_json(self) -> dict[str, Any]:
        resolved = self.facts.resolved
        return {
            "step": self.step.value,
            "at": self.at.isoformat(),
            "jurisdiction": self.jurisdiction,
            "time_zone": self.time_zone,
            "resolved": resolved.to_json() if resolved else None,
            "packs": [{"id": name, "version": version, "digest": digest} for name, version, digest in self.packs],
            "verdict": self.verdict.value,
            "record_incomplete": self.record_incomplete,
            "findings": [finding.to_json() for finding in self.findings],
        }
