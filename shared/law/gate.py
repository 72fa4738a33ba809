"""The gate: facts in, a decision out. No I/O and no clock: the same facts and packs give the same decision for ever.

The strictest finding is the verdict. A missing fact blocks where the rule would; a rule that nobody could verify
only warns; an override counts only if the rule itself names it, and its evidence is part of the decision.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from shared.law import calendar
from shared.law.facts import Facts
from shared.law.kinds import JUDGES, Moment, Outcome
from shared.law.packs import HoursWindow, Rule, RulePack
from shared.law.terms import Step, Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found."""

    rule_id: str
    pack: str
    verdict: Verdict
    reason_en: str
    reason_zh: str
    inputs: dict[str, Any]
    source: str
    authority: str
    override: str | None = None
    overridden_by: str | None = None
    missing: tuple[str, ...] = ()
    record_incomplete: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "rule_id": self.rule_id,
            "pack": self.pack,
            "verdict": self.verdict.value,
            "reason": {"en": self.reason_en, "zh": self.reason_zh},
            "inputs": self.inputs,
            "source": self.source,
            "authority": self.authority,
            "override": self.override,
            "overridden_by": self.overridden_by,
            "missing": list(self.missing),
            "record_incomplete": self.record_incomplete,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """Every rule's finding, and the verdict that follows."""

    step: Step
    at: datetime
    jurisdiction: str
    time_zone: str | None
    packs: tuple[tuple[str, str, str], ...]
    verdict: Verdict
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...] = ()

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
    def missing(self) -> list[str]:
        """Proofs and facts that should be there and are not."""
        return sorted({name for finding in self.findings for name in finding.missing})

    def as_sentences(self, language: str) -> list[str]:
        """The findings that are not a pass, in words ("en" or "zh")."""
        words = [
            f"{finding.rule_id}: {finding.reason_zh if language == 'zh' else finding.reason_en} ({finding.source})"
            for finding in self.findings
            if finding.verdict is not Verdict.PASS
        ]
        return words + list(self.warnings)

    def to_json(self) -> dict[str, Any]:
        return {
            "step": self.step.value,
            "at": self.at.isoformat(),
            "jurisdiction": self.jurisdiction,
            "time_zone": self.time_zone,
            "packs": [{"id": name, "version": version, "digest": digest} for name, version, digest in self.packs],
            "verdict": self.verdict.value,
            "record_incomplete": self.record_incomplete,
            "findings": [finding.to_json() for finding in self.findings],
            "warnings": list(self.warnings),
        }


def evaluate(packs: tuple[RulePack, ...], step: Step, facts: Facts) -> Decision:
    """Judge an act by every rule of the packs that is in force and judged at this step."""
    warnings = []
    if all(pack.id == "house" for pack in packs):
        warnings.append(f"No law is encoded for {facts.jurisdiction!r}: only the house rules were applied.")
    try:
        zone_name = facts.time_zone or calendar.zone_of(facts.latitude, facts.longitude, facts.country)
        local = facts.at.astimezone(calendar.zone(zone_name))
        findings = _findings(packs, step, facts, Moment(step, local, zone_name))
    except calendar.UnknownPlace as unknown:
        zone_name, findings = None, [_without_zone(packs[0], str(unknown))]
    verdict = max((finding.verdict for finding in findings), key=lambda v: v.rank, default=Verdict.PASS)
    if warnings and verdict is Verdict.PASS:
        verdict = Verdict.WARN
    named = tuple((pack.id, pack.version, pack.digest) for pack in packs)
    return Decision(step, facts.at, facts.jurisdiction, zone_name, named, verdict, tuple(findings), tuple(warnings))


def _findings(packs: tuple[RulePack, ...], step: Step, facts: Facts, moment: Moment) -> list[Finding]:
    day = moment.day
    return [
        _finding(pack, rule, JUDGES[rule.kind](rule, facts, moment), facts)
        for pack in packs
        for rule in pack.judged_at(step)
        if rule.in_force(day)
    ]


def _finding(pack: RulePack, rule: Rule, outcome: Outcome, facts: Facts) -> Finding:
    verdict, overridden_by, incomplete = Verdict.PASS, None, False
    if not outcome.satisfied:
        if rule.override is not None and rule.override in facts.consents:
            overridden_by = facts.consents[rule.override]
        elif rule.effect == "block" and rule.verified != "unverified":
            verdict = Verdict.BLOCK
        else:
            verdict = Verdict.WARN
            incomplete = rule.effect == "record-incomplete"
    passed = bool(outcome.satisfied)
    return Finding(
        rule_id=rule.id,
        pack=pack.id,
        verdict=verdict,
        reason_en=outcome.en if passed else f"{rule.says.en} {outcome.en}",
        reason_zh=outcome.zh if passed else f"{rule.says.zh}{outcome.zh}",
        inputs=outcome.inputs,
        source=rule.source,
        authority=rule.authority,
        override=rule.override,
        overridden_by=overridden_by,
        missing=(outcome.missing or _proof(rule)) if not passed else (),
        record_incomplete=incomplete,
    )


def _proof(rule: Rule) -> tuple[str, ...]:
    """The proof whose absence made a record incomplete."""
    return (rule.parameters.fact,) if rule.effect == "record-incomplete" else ()


def _without_zone(house: RulePack, why: str) -> Finding:
    """Without a zone no hour can be judged: everything is blocked until the place is known."""
    return Finding(
        rule_id="house-place",
        pack=house.id,
        verdict=Verdict.BLOCK,
        reason_en=f"The debtor's local time cannot be told: {why}.",
        reason_zh="無法判定債務人當地時間。",
        inputs={},
        source="house rules",
        authority="policy",
        missing=("time_zone",),
    )


Window = tuple[datetime, datetime]


def lawful_windows(packs: tuple[RulePack, ...], facts: Facts, day: date, step: Step = Step.PLAN) -> list[Window]:
    """When on a local day the act would not be blocked: pairs of times in the debtor's zone, [start, end).

    Hours and the borders of caps cut the day into pieces within which no verdict changes; each is judged once.
    """
    try:
        zone = calendar.zone(facts.time_zone or calendar.zone_of(facts.latitude, facts.longitude, facts.country))
    except calendar.UnknownPlace:
        return []
    midnight = datetime.combine(day, time(0), zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)
    cuts = sorted({midnight, *(cut for cut in _cuts(packs, step, facts, day, zone) if midnight < cut < end)})
    windows: list[Window] = []
    for start, until in zip(cuts, [*cuts[1:], end], strict=True):
        inside = facts.model_copy(update={"at": start + (until - start) / 2})
        if evaluate(packs, step, inside).verdict is Verdict.BLOCK:
            continue
        if windows and windows[-1][1] == start:
            start = windows.pop()[0]
        windows.append((start, until))
    return [(start.astimezone(zone), until.astimezone(zone)) for start, until in windows]


def _cuts(packs: tuple[RulePack, ...], step: Step, facts: Facts, day: date, zone: Any) -> list[datetime]:
    """The moments of a day at which a verdict can change."""
    cuts = []
    for rule in [rule for pack in packs for rule in pack.judged_at(step)]:
        if isinstance(rule.parameters, HoursWindow):
            cuts += [datetime.combine(day, edge, zone) for edge in (rule.parameters.from_, rule.parameters.until)]
        if rule.kind == "visit-cap":
            cuts += [v + timedelta(days=d) for v in facts.contact_visits for _, d in rule.parameters.caps]
    if facts.prior_notice_at is not None:
        cuts.append(facts.prior_notice_at)
    return [cut.astimezone(UTC) for cut in cuts]


def earliest_lawful(
    packs: tuple[RulePack, ...], facts: Facts, *, after: datetime, days_max: int = 60, step: Step = Step.PLAN
) -> datetime | None:
    """The first moment from `after` on at which the act would not be blocked, or None within so many days."""
    for number in range(days_max + 1):
        zone_name = facts.time_zone or calendar.zone_of(facts.latitude, facts.longitude, facts.country)
        day = after.astimezone(calendar.zone(zone_name)).date() + timedelta(days=number)
        for start, end in lawful_windows(packs, facts, day, step):
            if end > after:
                return max(start, after)
    return None
